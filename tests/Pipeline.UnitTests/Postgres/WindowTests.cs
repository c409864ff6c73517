using System.Collections.Immutable;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class WindowTests
{
    private static readonly Horizon From = At(100, 105, Noon);
    private static readonly Horizon To = At(110, 110, Noon.AddMinutes(1));

    [Fact]
    public void the_initial_load_is_read_in_key_order_without_a_lower_bound()
    {
        var query = new Window(1, null, To, null, 0, null).Query(Orders());
        Assert.EndsWith("WHERE (NOT (age(xmin) BETWEEN 0 AND age('110'::xid)) " +
            "OR \"updated_at\" < '2026-03-01 12:01:00.000000+00'::timestamptz) ORDER BY \"order_id\"", query);
    }

    [Fact]
    public void the_initial_load_goes_on_behind_its_cursor()
    {
        var query = new Window(1, null, To, null, 3, new Cursor("2026-03-01 12:00:00+00", ["17"])).Query(Orders());
        Assert.EndsWith("AND (\"order_id\") > ('17'::bigint) ORDER BY \"order_id\"", query);
    }

    [Fact]
    public void a_window_lies_between_its_horizons_from_the_bound_of_the_first_on()
    {
        var query = new Window(2, From, To, From.LowerBound, 0, null).Query(Orders());
        Assert.Equal(
            "SELECT \"order_id\", \"odd \"\"name\"\"\", \"updated_at\" FROM \"public\".\"orders\" " +
            "WHERE (NOT (age(xmin) BETWEEN 0 AND age('110'::xid)) OR \"updated_at\" < '2026-03-01 12:01:00.000000+00'::timestamptz) " +
            "AND NOT NOT (age(xmin) BETWEEN 0 AND age('100'::xid)) " +
            "AND \"updated_at\" >= '2026-03-01 12:00:00.000000+00'::timestamptz ORDER BY \"updated_at\", \"order_id\"", query);
    }

    [Fact]
    public void a_cursor_is_a_place_in_timestamp_and_key_order()
    {
        var query = new Window(2, From, To, From.LowerBound, 1, new Cursor("2026-03-01 12:00:01+00", ["o'brien"])).Query(Orders());
        Assert.Contains("(\"updated_at\", \"order_id\") > ('2026-03-01 12:00:01+00'::timestamp with time zone, 'o''brien'::bigint)", query);
    }

    [Fact]
    public void rows_without_a_timestamp_are_in_every_window_and_sort_last()
    {
        var table = Orders(nullableTimestamp: true);
        Assert.Contains("OR \"updated_at\" IS NULL)", new Window(2, From, To, From.LowerBound, 0, null).Query(table));
        Assert.Contains("(\"updated_at\" IS NULL AND (\"order_id\") > ('5'::bigint))",
            new Window(2, From, To, From.LowerBound, 1, new Cursor(null, ["5"])).Query(table));
    }

    /// <summary>Its bound is a time of the other; that it may have no page more tells nobody.</summary>
    [Fact]
    public void a_window_that_is_gone_on_with_by_another_ordering_column_is_of_any_time_and_says_so()
    {
        var values = Orders().Schema.Columns.Select((c, i) => KeyValuePair.Create($"a{i + 1}", $"{TableFacts.DigestOf(c.Name)}:type"));
        var facts = new TableFacts("files", true, values.ToImmutableSortedDictionary(StringComparer.Ordinal), []);
        var (another, same) = (GoneOn("a2"), GoneOn("a3"));
        Assert.Equal((true, false), (another.To.Facts!.IsMixed, same.To.Facts!.IsMixed));
        Assert.Equal((null, true), (another.LowerBound, another.IsOfAnyTime));
        Assert.Equal((From.LowerBound, false), (same.LowerBound, same.IsOfAnyTime));

        Window GoneOn(string orderedBy) =>
            new Window(2, From, To with { Facts = facts with { OrderedBy = orderedBy } }, From.LowerBound, 1, null, Order: "another")
                .For(Orders());
    }
}
