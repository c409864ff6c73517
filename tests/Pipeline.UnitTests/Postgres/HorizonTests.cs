using OrdersStream.Postgres;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class HorizonTests
{
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(10);

    [Fact]
    public void the_bound_is_the_clock_less_the_slack_when_nothing_is_open() =>
        Assert.Equal(Noon - Slack, Horizon.Bound(Noon, null, [], Slack));

    [Fact]
    public void the_oldest_open_transaction_holds_the_bound_back() =>
        Assert.Equal(Noon.AddMinutes(-5) - Slack, Horizon.Bound(Noon, Noon.AddMinutes(-5), [], Slack));

    [Fact]
    public void a_start_ahead_of_the_clock_does_not_push_the_bound_forward() =>
        Assert.Equal(Noon - Slack, Horizon.Bound(Noon, Noon.AddMinutes(5), [], Slack));

    [Fact]
    public void a_prepared_transaction_holds_the_bound_back() =>
        Assert.Equal(Noon.AddHours(-2) - Slack, Horizon.Bound(Noon, Noon.AddMinutes(-5), [Noon.AddHours(-1), Noon.AddHours(-2)], Slack));

    [Fact]
    public void a_prepared_transaction_of_unknown_age_leaves_no_bound() =>
        Assert.Null(Horizon.Bound(Noon, null, [Noon.AddHours(-1), null], Slack));

    [Fact]
    public void who_holds_rows_back_is_known_after_four_billion_transactions_too()
    {
        var writer = new OldestWriter(100, new("open", Noon, 90, 7, "psql"));
        Assert.True(writer.Holds(At(100, 105, Noon)));
        Assert.True(writer.Holds(At((1UL << 32) + 100, (1UL << 32) + 105, Noon)));
        Assert.False(writer.Holds(At(1_001, 1_005, Noon)));
    }

    [Fact]
    public void without_seen_transactions_only_the_xmin_decides() =>
        Assert.Equal("NOT (age(xmin) BETWEEN 0 AND age('100'::xid))", At(100, 105, Noon).Contains("xmin"));

    [Fact]
    public void seen_transactions_are_in_the_horizon_too() =>
        Assert.Equal(
            "(NOT (age(xmin) BETWEEN 0 AND age('100'::xid)) OR xmin = ANY ('{101,103}'::xid[]))",
            At(100, 105, Noon, 101, 103).Contains("xmin"));

    [Fact]
    public void an_id_beyond_32_bits_is_compared_by_its_low_half() =>
        Assert.Contains("age('7'::xid)", At((3UL << 32) + 7, (3UL << 32) + 9, Noon).Contains("xmin"));

    [Fact]
    public void where_the_clock_went_back_the_bound_before_says_less_of_what_is_prepared_hidden_or_held_back()
    {
        var overlap = TimeSpan.FromHours(1);
        var before = At(100, 105, Noon - Slack, 101);
        Assert.Same(before, before.Before(Noon.AddSeconds(1), overlap));
        var back = before.Before(Noon.AddMinutes(-20), overlap);
        Assert.Equal(Noon.AddMinutes(-80), back.LowerBound);
        Assert.Equal(back.LowerBound, Horizon.BoundOfPrepared(107, back));
        Assert.Equal(back.LowerBound, At(110, 115, Noon).Remembering(null, back).LowerBound);
        Assert.Null((before with { LowerBound = null }).Before(Noon.AddMinutes(-20), overlap).LowerBound);
    }

    [Fact]
    public void a_frozen_row_does_not_make_an_open_transaction_seen_that_has_its_id_four_billion_transactions_later() =>
        Assert.Equal(
            "SELECT DISTINCT xmin::text FROM \"public\".\"orders\" WHERE age(xmin) BETWEEN 0 AND age('100'::xid) "
            + "AND \"updated_at\" >= '2026-03-01 12:00:00.000000+00'::timestamptz LIMIT 8",
            HorizonQueries.Seen(Orders(), At(100, 105, Noon), 7));

    [Fact]
    public void after_a_restart_the_text_of_the_snapshot_says_nothing_for_the_counter_may_come_to_the_same_place() =>
        Assert.Equal("", At(100, 105, Noon).UpTo(98, Noon.AddMinutes(1)).Snapshot);

    [Theory, InlineData(101u, true), InlineData(104u, false), InlineData(105u, true), InlineData(99u, false)]
    public void what_was_open_is_known_by_the_text_of_the_snapshot(uint xid, bool isOpen) =>
        Assert.Equal(isOpen, (At(100, 105, Noon) with { Snapshot = "100:105:100,4294967397,103" }).IsOpen(xid));

    /// <summary>It was frozen, and has 32 bits of four billion transactions ago: above H, or just below it.</summary>
    [Theory, InlineData(120u), InlineData(99u)]
    public void after_a_restart_a_row_of_long_ago_does_not_say_which_ids_are_given_again(uint frozen)
    {
        const string now = "2026-03-01 11:59:00+00", longAgo = "2025-03-01 12:00:00.5+00";
        RowWitness recent = new(90, now), old = new(frozen, longAgo), changed = new(98, now);
        var horizon = At(100 + (1UL << 32), 105 + (1UL << 32), Noon) with { Newest = [changed, recent, old] };
        Assert.Equal(91 + (1UL << 32), AfterRestart(horizon, [recent, old]).Left!.Xmin);
        Assert.Equal(new SeenAgain(null, Rewind.Some), AfterRestart(horizon, [old]));
        Assert.Equal(new SeenAgain(null, Rewind.Some), AfterRestart(horizon, []));
    }

    [Fact]
    public void after_a_restart_a_young_servers_old_rows_say_which_ids_are_given_again()
    {
        RowWitness old = new(99, "2025-03-01 12:00:00+00");
        Assert.Equal(100UL, AfterRestart(At(100, 105, Noon) with { Newest = [old] }, [old]).Left!.Xmin);
    }

    [Fact]
    public void a_server_whose_log_is_shorter_than_it_was_on_the_disk_has_nothing_left()
    {
        RowWitness row = new(99, "2026-03-01 11:59:00+00", ["1"]);
        var horizon = At(100, 105, Noon) with { Newest = [row], Lsn = 7 };
        Assert.Equal(new SeenAgain(null, Rewind.BehindItsDisk), horizon.AfterRestart([row], 6, Noon));
        Assert.Equal(Rewind.None, horizon.AfterRestart([row], 7, Noon).Rewind);
    }

    [Theory]
    [InlineData("2026-03-01 11:58:59.9+00", 98u, true)]
    [InlineData("2026-03-01 11:59:00.1+00", 120u, false)]
    // Rewritten; without a time.
    [InlineData("2026-03-01 11:59:00+00", 120u, false)]
    [InlineData("", 120u, false)]
    [InlineData(null, 0u, true)]
    public void a_captured_row_that_is_gone_or_older_was_undone_and_one_that_is_newer_was_not(string? time, uint xmin, bool isUndone)
    {
        RowWitness kept = new(90, "2026-03-01 11:58:00+00", ["other"]), looked = new(99, "2026-03-01 11:59:00+00", ["one", "1"]);
        RowWitness[] there = time is null ? [kept] : [kept, new(xmin, time, ["one", "1"])];
        var horizon = At(100, 105, Noon) with { Newest = [looked, kept] };
        Assert.Equal(isUndone ? Rewind.Undone : Rewind.None, AfterRestart(horizon, there).Rewind);
        // A position of an earlier version says nothing of keys.
        Assert.Equal(Rewind.None, AfterRestart(horizon with { Newest = [looked with { Key = null }, kept] }, there).Rewind);
    }

    [Fact]
    public void a_witness_of_another_key_of_the_table_is_known_by_its_id_and_time_alone()
    {
        RowWitness row = new(99, "2026-03-01 11:59:00+00", ["1"]);
        var horizon = At(100, 105, Noon) with { Newest = [row], KeyOrder = Orders().Order };
        Assert.Equal(row.Key, horizon.WitnessesOf(Orders())!.Value[0].Key);
        Assert.Null((horizon with { KeyOrder = "another" }).WitnessesOf(Orders())!.Value[0].Key);
        Assert.Contains("(\"order_id\") IN (VALUES ('1'::bigint))", HorizonQueries.Witnesses(Orders(), [row]), StringComparison.Ordinal);
        Assert.Contains("\"updated_at\" = ANY (", HorizonQueries.Witnesses(Orders(), [row with { Key = null }]), StringComparison.Ordinal);
    }

    [Fact]
    public void a_clock_that_was_seen_to_go_back_is_remembered_until_the_next_horizon()
    {
        var before = At(100, 105, Noon);
        Assert.Same(before, before.Seeing(Noon));
        var back = before.Seeing(Noon.AddMinutes(-2)).Seeing(Noon.AddMinutes(3)).Seeing(Noon.AddMinutes(-1));
        Assert.Equal((Noon, Noon.AddMinutes(-2)), (back.TakenAt, back.LeastClock));
        Assert.Equal(Noon.AddMinutes(-62), back.Before(Noon.AddMinutes(5), TimeSpan.FromHours(1)).LowerBound);
    }

    private static SeenAgain AfterRestart(Horizon horizon, RowWitness[] there) =>
        horizon.AfterRestart(there, horizon.Lsn, Noon.AddMinutes(1));

    [Fact]
    public void more_transactions_than_can_be_remembered_are_held_back_but_for_those_that_are_published()
    {
        var before = At(100, 105, Noon, 101, 104);
        var held = At(103, 110, Noon.AddMinutes(1)).Remembering(null, before);
        Assert.Equal([104u], held.Seen);
        Assert.Equal(Noon, held.LowerBound);
        Assert.Equal([107u], At(103, 110, Noon).Remembering([107], before).Seen);
    }
}
