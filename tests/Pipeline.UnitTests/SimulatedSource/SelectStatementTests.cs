using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>The model reads conditions as Postgres does.</summary>
public sealed class SelectStatementTests
{
    [Theory]
    [InlineData("age(xmin) BETWEEN 0 AND age('95'::xid)", 100, true)]
    [InlineData("age(xmin) BETWEEN 0 AND age('95'::xid)", 90, false)]
    // Frozen, more than two billion transactions ago.
    [InlineData("age(xmin) BETWEEN 0 AND age('95'::xid)", 3_000_000_000, false)]
    // What is no transaction's is for ever old, and so is its age.
    [InlineData("age(xmin) BETWEEN 0 AND age('0'::xid)", 90, true)]
    [InlineData("NOT NOT (xmin = ANY ('{7,90}'::xid[]))", 90, true)]
    [InlineData("xmin = ANY ('{7}'::xid[]) OR tableoid = ANY ('{1}'::oid[])", 90, false)]
    public void ids_lie_on_a_circle(string condition, ulong xid, bool holds) =>
        Assert.Equal(holds, SelectStatement.Holds(condition, xid, nextXid: 105));

    [Theory]
    [InlineData("\"updated_at\" < '2026-03-01 12:00:00.000000+00'::timestamptz", 1)]
    [InlineData("NOT (\"updated_at\" < '2026-03-01 12:00:00.000000+00'::timestamptz)", 1)]
    [InlineData("(\"updated_at\" >= '2026-03-01 12:00:00.000000+00'::timestamptz OR \"updated_at\" IS NULL)", 2)]
    [InlineData("(\"updated_at\", \"order_id\") > ('2026-03-01 12:00:00.000000+00'::timestamp with time zone, '1'::bigint)", 1)]
    [InlineData("(\"updated_at\", \"order_id\") > ('2026-03-01 12:00:00.000000+00'::timestamp with time zone, '2'::bigint)", 0)]
    public void a_null_is_neither_below_nor_above(string condition, int found)
    {
        var noon = SimulatedClock.Micros(Noon);
        RowVersion[] rows = [new(1, noon - 1, 5, 1, 1), new(2, noon, 5, 1, 2), new(3, null, 5, 1, 3)];
        Assert.Equal(found, new SelectStatement($"SELECT xmin::text FROM \"a\".\"b\" WHERE {condition}", 9).Of(rows).Count);
    }

    [Fact]
    public void rows_are_found_by_their_keys()
    {
        RowVersion[] rows = [new(1, null, 5, 1, 1), new(2, 20, 5, 1, 2), new(3, 10, 6, 1, 3)];
        const string sql = "SELECT \"order_id\"::text FROM \"a\".\"b\" "
            + "WHERE (\"order_id\") IN (VALUES ('3'::bigint), ('1'::bigint), ('9'::bigint))";
        Assert.Equal([1, 3], new SelectStatement(sql, 9).Of(rows).Select(r => r.Key));
    }

    [Fact]
    public void rows_come_in_their_order_nulls_last_and_not_more_than_asked_for()
    {
        RowVersion[] rows = [new(1, null, 5, 1, 1), new(2, 20, 5, 1, 2), new(3, 10, 6, 1, 3), new(4, 20, 6, 1, 4)];
        List<long> Keys(string rest) =>
            [.. new SelectStatement($"SELECT xmin::text FROM \"a\".\"b\" {rest}", 9).Of(rows).Select(r => r.Key)];
        Assert.Equal([3, 2, 4, 1], Keys("ORDER BY \"updated_at\", \"order_id\""));
        Assert.Equal([1, 2], Keys("ORDER BY \"updated_at\" DESC LIMIT 2"));
        Assert.Equal([1, 2], Keys("ORDER BY \"a\".\"b\".\"updated_at\" DESC LIMIT 2"));
    }

    [Theory]
    [InlineData("SELECT xmin FROM \"a\".\"b\" WHERE ctid = 1")]
    [InlineData("SELECT xmin FROM \"a\".\"b\" WHERE xmin < '5'::xid")]
    [InlineData("SELECT xmin FROM \"a\".\"b\" WHERE \"order_id\" = '5'::bigint")]
    [InlineData("SELECT xmin FROM \"a\".\"b\" WHERE \"order_id\" <= '2026-03-01 12:00:00.000000+00'::timestamptz")]
    [InlineData("SELECT xmin FROM \"a\".\"b\" GROUP BY xmin")]
    // It is the text's order.
    [InlineData("SELECT \"updated_at\"::text FROM \"a\".\"b\" ORDER BY \"updated_at\"")]
    public void what_it_does_not_know_it_refuses(string sql) =>
        Assert.ThrowsAny<Exception>(() => new SelectStatement(sql, 9));
}
