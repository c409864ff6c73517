using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class TombstoneTableTests
{
    private static readonly Horizon From = At(100, 105, Noon, 101);
    private static readonly Horizon To = At(110, 110, Noon.AddMinutes(1));
    private static readonly TombstoneTable Tombstones = TombstoneTable.Of("public", "orders_deletes", Orders().Schema);

    private static string Query(Window window) => Tombstones.Query(window, Orders());

    [Fact]
    public void a_tombstone_is_in_a_window_as_a_row_is_and_says_what_the_table_has_not() =>
        Assert.Equal(
            "SELECT d.\"order_id\", d.delete_id FROM \"public\".\"orders_deletes\" d "
            + "WHERE (NOT (age(d.xmin) BETWEEN 0 AND age('110'::xid)) OR d.deleted_at < '2026-03-01 12:01:00.000000+00'::timestamptz) "
            + "AND NOT (NOT (age(d.xmin) BETWEEN 0 AND age('100'::xid)) OR d.xmin = ANY ('{101}'::xid[])) "
            + "AND d.deleted_at >= '2026-03-01 12:00:00.000000+00'::timestamptz "
            + "AND NOT EXISTS (SELECT FROM \"public\".\"orders\" t "
            + "WHERE t.\"order_id\" = d.\"order_id\" AND t.\"order_id\"::text COLLATE \"C\" = d.\"order_id\"::text COLLATE \"C\") "
            + "ORDER BY d.delete_id",
            Query(new Window(2, From, To, From.LowerBound, 0, null)));

    [Fact]
    public void a_window_goes_on_behind_the_last_tombstone_and_a_torn_page_ends_with_its_own()
    {
        var window = new Window(2, From, To, From.LowerBound, 1, null) { Deleted = new Cursor("17", ["4"]) };
        Assert.Contains("AND d.delete_id > '17'::bigint", Query(window), StringComparison.Ordinal);
        Assert.Contains(
            "AND d.delete_id <= '29'::bigint", Tombstones.Query(window, Orders(), new Cursor("29", ["5"])), StringComparison.Ordinal);
    }

    [Fact]
    public void a_window_of_rows_of_any_time_has_tombstones_of_any_time() =>
        Assert.DoesNotContain(">= '", Query(new Window(2, From, To, null, 0, null, IsOfAnyTime: true)), StringComparison.Ordinal);

    [Fact]
    public void a_window_behind_a_horizon_that_has_none_of_the_tombstones_has_all_of_them()
    {
        var query = Query(new Window(2, From, To, From.LowerBound, 0, null) { IsOfAllTombstones = true });
        Assert.DoesNotContain("d.deleted_at >= '", query, StringComparison.Ordinal);
        Assert.DoesNotContain("age('100'::xid)", query, StringComparison.Ordinal);
        Assert.Contains("age('110'::xid)", query, StringComparison.Ordinal);
    }

    [Fact]
    public void a_horizon_answers_for_the_tombstones_that_were_read_only()
    {
        var window = new Window(2, From, To with { Tombstones = 7 }, null, 1, null) { Deleted = new Cursor("17", ["4"]) };
        Assert.Equal(window, window.Reading(Tombstones with { Oid = 7 }));
        foreach (var other in new[] { null, Tombstones with { Oid = 8 } })
        {
            Assert.Null(window.Reading(other).To.Tombstones);
            Assert.Null(window.Reading(other).Deleted);
        }
        Assert.Contains("WHERE NOT", (Tombstones with { Oid = 7 }).NotIn(window.To, Orders()), StringComparison.Ordinal);
        Assert.DoesNotContain("WHERE", (Tombstones with { Oid = 8 }).NotIn(window.To, Orders()), StringComparison.Ordinal);
    }

    [Fact]
    public void a_horizon_remembers_who_wrote_tombstones_only()
    {
        var table = Orders() with { Tombstones = Tombstones };
        Assert.EndsWith(
            "UNION SELECT xmin::text FROM \"public\".\"orders_deletes\" WHERE age(xmin) BETWEEN 0 AND age('100'::xid) "
            + "AND deleted_at >= '2026-03-01 12:00:00.000000+00'::timestamptz LIMIT 8",
            HorizonQueries.Seen(table, From, 7), StringComparison.Ordinal);
        Assert.DoesNotContain("UNION", HorizonQueries.Seen(Orders(), From, 7), StringComparison.Ordinal);
    }

    /// <summary>Where there is no bound, no time says that it is published, and its id must.</summary>
    [Fact]
    public void only_what_is_published_and_was_so_long_ago_is_removed()
    {
        var remove = Tombstones.Remove(At(110, 120, null, 115), At(90, 90, null), 500);
        Assert.Contains("NOT (age(d.xmin) BETWEEN 0 AND age('90'::xid)) AND (NOT (age(d.xmin) BETWEEN 0 AND age('110'::xid)) "
            + "OR d.xmin = ANY ('{115}'::xid[]))", remove, StringComparison.Ordinal);
        Assert.Contains("ORDER BY d.delete_id LIMIT 500", remove, StringComparison.Ordinal);
    }

    /// <summary>Readers know the columns by their names: only what may be NULL is another.</summary>
    [Fact]
    public void deletes_have_the_tables_columns_and_may_be_null_in_all_but_the_key()
    {
        var (table, deletes) = (Orders().Schema, Tombstones.Deletes);
        Assert.Equal(table.Columns.Select(c => (c.Name, c.Type)), deletes.Columns.Select(c => (c.Name, c.Type)));
        Assert.Equal([false, true, true], deletes.Columns.Select(c => c.Nullable));
        Assert.Equal((table.KeyColumns.Single(), table.TimestampColumn), (deletes.KeyColumns.Single(), deletes.TimestampColumn));
    }

    [Fact]
    public void another_key_makes_the_cursor_of_tombstones_mean_nothing()
    {
        var window = new Window(2, From, To, From.LowerBound, 1, null, Order: "another") { Deleted = new Cursor("17", ["4"]) };
        Assert.Null(window.For(Orders()).Deleted);
        Assert.NotNull((window with { Order = Orders().Order }).For(Orders()).Deleted);
    }
}
