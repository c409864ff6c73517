using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Postgres;

public sealed class WindowPlanTests
{
    private static readonly TimeSpan Overlap = TimeSpan.FromHours(1);
    private static readonly Horizon Last = At(100, 105, Noon.AddSeconds(-10));
    private static readonly Horizon To = At(110, 110, Noon);

    [Fact]
    public void the_first_window_is_the_whole_table()
    {
        var plan = WindowPlan.Next(1, null, To, TableChange.None, Rewind.None, Overlap);
        Assert.Equal(new Window(1, null, To, null, 0, null), plan.Window);
        Assert.False(plan.IsReread);
    }

    [Fact]
    public void an_ordinary_window_begins_at_the_last_horizon_and_its_bound() =>
        Assert.Equal(new Window(2, Last, To, Last.LowerBound, 0, null), Next(To).Window);

    [Fact]
    public void after_a_rewind_no_transaction_id_is_trusted_and_the_overlap_is_read_again()
    {
        var plan = WindowPlan.Next(2, Last, To, TableChange.None, Rewind.Some, Overlap);
        Assert.True(plan.IsReread);
        Assert.Null(plan.Window.From);
        Assert.Equal(Last.LowerBound - Overlap, plan.Window.LowerBound);
    }

    [Fact]
    public void after_a_rewind_to_before_the_last_bound_the_clock_tells_where_to_read_from()
    {
        var plan = WindowPlan.Next(2, Last, To with { TakenAt = Noon.AddDays(-1) }, TableChange.None, Rewind.Some, Overlap);
        Assert.Equal(Noon.AddDays(-1) - Overlap, plan.Window.LowerBound);
    }

    /// <summary>It was polled on after the new one had parted from it, and its clock moved the bound on.</summary>
    [Fact]
    public void after_a_promotion_rows_are_read_from_the_newest_that_both_servers_had()
    {
        var last = Last with { LowerBound = Noon.AddHours(3), Newest = [At(-2), At(0), At(-1)] };
        Assert.Equal(Noon - Overlap, BoundAfter(Rewind.Parted, last));
        Assert.Equal(Noon.AddHours(3) - Overlap, BoundAfter(Rewind.Parted, last with { Newest = [At(4)] }));
        Assert.Equal(Noon.AddHours(3) - Overlap, BoundAfter(Rewind.Parted, last with { Newest = null }));
        // It had none, or tells no time.
        Assert.Null(BoundAfter(Rewind.Parted, last with { Newest = [] }));
        Assert.Null(BoundAfter(Rewind.Parted, last with { Newest = [new(99, "-infinity")] }));
        // The same server is not two.
        Assert.Equal(Noon.AddHours(3) - Overlap, BoundAfter(Rewind.Some, last));

        static RowWitness At(int hours) => new(99, $"{Noon.AddHours(hours):O}");
    }

    /// <summary>What hid a version of it while it was read was on the old primary only.</summary>
    [Fact]
    public void after_a_promotion_the_last_window_is_read_again_from_its_own_bound()
    {
        var window = new Window(2, Last, Last, Noon.AddHours(-5), 1, new Cursor(null, ["1"]));
        Assert.Equal(Noon.AddHours(-5) - Overlap, BoundBehind(window));
        Assert.Equal(Last.LowerBound - Overlap, BoundBehind(window with { LowerBound = Noon.AddHours(5) }));
        Assert.Null(BoundBehind(window with { LowerBound = null }));
        Assert.Null(BoundBehind(window with { IsOfAnyTime = true }));
        Assert.Null(BoundBehind(window with { Joined = [17] }));

        static DateTime? BoundBehind(Window done)
        {
            var watermark = Watermark.Start(Source, Topic).Begin(done).Complete();
            return BoundAfter(Rewind.Parted, Watermark.FromJson(watermark.ToJson()).Horizon!);
        }
    }

    /// <summary>It was read from before the parting, and then the new primary was started anew: that is no parting.</summary>
    [Fact]
    public void a_reading_that_is_given_up_is_begun_again_from_as_far_back()
    {
        var givenUp = new Window(2, null, To, Noon.AddHours(-5), 3, new Cursor("", ["1"]));
        Assert.Equal(Noon.AddHours(-5), BoundBehind(givenUp, To));
        Assert.Equal(Noon.AddHours(-5), BoundBehind(givenUp, To with { Xmax = Last.Xmin + (3UL << 29) }));
        Assert.Equal(Last.LowerBound - Overlap, BoundBehind(givenUp with { LowerBound = Noon }, To));

        static DateTime? BoundBehind(Window givenUp, Horizon to) =>
            WindowPlan.Next(3, Last, to, TableChange.None, Rewind.Some, Overlap, givenUp).Window.LowerBound;
    }

    [Fact]
    public void a_promotion_of_which_a_position_hears_that_is_too_old_to_compare_is_one_all_the_same()
    {
        var last = Last with { LowerBound = Noon.AddHours(3), Newest = [new(99, $"{Noon.AddHours(-2):O}")] };
        var to = To with { TakenAt = Noon.AddHours(6), Xmax = last.Xmin + (3UL << 29) };
        Assert.Equal(
            Noon.AddHours(-2) - Overlap,
            WindowPlan.Next(2, last, to, TableChange.None, Rewind.Parted, Overlap).Window.LowerBound);
    }

    private static DateTime? BoundAfter(Rewind rewind, Horizon last) => WindowPlan.Next(
        3, last, To with { TakenAt = Noon.AddHours(6) }, TableChange.None, rewind, Overlap).Window.LowerBound;

    [Fact]
    public void a_position_is_not_compared_that_could_come_to_be_two_billion_transactions_old_while_the_window_is_read()
    {
        var plan = WindowPlan.Next(2, Last, To with { Xmax = Last.Xmin + (3UL << 29) }, TableChange.None, Rewind.None, Overlap);
        Assert.True(plan.IsReread);
        Assert.Null(plan.Window.From);
        Assert.False(Next(To with { Xmax = Last.Xmin + (3UL << 29) - 1 }).IsReread);
    }

    [Fact]
    public void nor_is_a_window_gone_on_with_that_begins_at_such_a_position_and_the_next_one_reads_what_it_would_have()
    {
        var window = new Window(2, Last, To, Last.LowerBound, 3, null);
        const ulong next = 100 + (3UL << 29);
        Assert.True(WindowPlan.IsTooOld(window, next));
        Assert.False(WindowPlan.IsTooOld(window, next - 1));
        Assert.False(WindowPlan.IsTooOld(window, 99));
        Assert.False(WindowPlan.IsTooOld(window with { From = null }, next));
        Assert.False(WindowPlan.IsTooOld(null, next));
        Assert.Equal(Last.LowerBound - Overlap, BoundBehind(window));
        Assert.Null(BoundBehind(window with { IsOfAnyTime = true }));
        Assert.Null(BoundBehind(window with { Joined = [17] }));

        static DateTime? BoundBehind(Window givenUp) => WindowPlan.Next(
            3, Last, To with { Xmax = next }, TableChange.None, Rewind.None, Overlap, givenUp).Window.LowerBound;
    }

    [Fact]
    public void a_clock_that_went_back_lowers_the_bound_and_keeps_the_horizon()
    {
        var plan = WindowPlan.Next(2, Last, To with { TakenAt = Noon.AddHours(-3) }, TableChange.None, Rewind.None, Overlap);
        Assert.Equal(Last, plan.Window.From);
        Assert.Equal(Noon.AddHours(-4), plan.Window.LowerBound);
    }

    /// <summary>It has caught up since.</summary>
    [Fact]
    public void a_clock_that_was_seen_to_go_back_in_between_lowers_the_bound_too()
    {
        var plan = WindowPlan.Next(2, Last.Seeing(Noon.AddHours(-3)), To, TableChange.None, Rewind.None, Overlap);
        Assert.Equal((Last.Xmin, Noon.AddHours(-4)), (plan.Window.From!.Xmin, plan.Window.LowerBound));
        Assert.Equal(Noon.AddHours(-4), Next(To.Seeing(Noon.AddHours(-3))).Window.LowerBound);
        var givenUp = new Window(2, Last, To.Seeing(Noon.AddHours(-3)), Last.LowerBound, 3, null);
        Assert.Equal(
            Noon.AddHours(-4),
            WindowPlan.Next(3, Last, To, TableChange.None, Rewind.Some, Overlap, givenUp).Window.LowerBound);
        Assert.Null(Behind(plan, At(120, 120, Noon)) is { IsReread: true } again ? again.Reason : null);
    }

    [Fact]
    public void where_the_last_horizon_had_no_bound_no_window_has_one() =>
        Assert.Null(WindowPlan.Next(2, Last with { LowerBound = null }, To, TableChange.None, Rewind.Some, Overlap).Window.LowerBound);

    [Fact]
    public void what_was_rewritten_is_looked_for_among_rows_of_any_time_in_key_order()
    {
        var plan = Next(To, TableChange.None with { IsRewritten = true });
        Assert.Equal((Last, null, true), (plan.Window.From, plan.Window.LowerBound, plan.Window.IsInKeyOrder));
        Assert.NotEmpty(plan.AnyTimeReason);
        Assert.False(plan.IsReread);
    }

    [Fact]
    public void rows_of_any_time_are_looked_at_until_all_have_ended_who_were_open_as_a_change_of_the_trigger_was_seen()
    {
        var change = Next(At(110, 120, Noon), TableChange.None with { IsUnguarded = true });
        Assert.Equal((true, 120UL), (change.Window.IsOfAnyTime, change.Window.To.UnguardedBelow));
        Assert.Contains("until the transactions that are open now have ended", change.AnyTimeReason, StringComparison.Ordinal);

        var waiting = Behind(change, At(119, 130, Noon));
        Assert.Equal((true, 120UL, ""), (waiting.Window.IsOfAnyTime, waiting.Window.To.UnguardedBelow, waiting.AnyTimeReason));
        var ended = Behind(waiting, At(120, 131, Noon));
        Assert.Equal((true, null), (ended.Window.IsOfAnyTime, ended.Window.To.UnguardedBelow));
        Assert.Equal(ended.Window.To.LowerBound, Behind(ended, At(131, 131, Noon)).Window.LowerBound);
    }

    [Fact]
    public void a_change_of_the_trigger_while_nobody_is_open_is_looked_for_once()
    {
        var change = Next(At(110, 110, Noon), TableChange.None with { IsUnguarded = true });
        Assert.Equal((true, null), (change.Window.IsOfAnyTime, change.Window.To.UnguardedBelow));
        Assert.DoesNotContain("open now", change.AnyTimeReason, StringComparison.Ordinal);
    }

    [Fact]
    public void after_a_rewind_who_was_prepared_may_have_written_past_the_trigger_still()
    {
        var plan = WindowPlan.Next(
            2, Last with { UnguardedBelow = 104 }, At(110, 120, Noon), TableChange.None, Rewind.Some, Overlap);
        Assert.Equal((null, null, 120UL), (plan.Window.From, plan.Window.LowerBound, plan.Window.To.UnguardedBelow));
    }

    /// <summary>Who changed the trigger has an id that looks older than the position.</summary>
    [Fact]
    public void where_the_position_is_too_old_to_compare_who_is_open_may_have_written_past_a_trigger_that_changed()
    {
        var facts = new TableFacts("one", true, NoValues, [], "a");
        var now = At(110 + (1UL << 32), 120 + (1UL << 32), Noon) with { Facts = facts with { Triggers = "b" } };
        var plan = WindowPlan.Next(2, Last with { Facts = facts }, now, TableChange.None, Rewind.None, Overlap);
        Assert.Equal((null, null, now.Xmax), (plan.Window.From, plan.Window.LowerBound, plan.Window.To.UnguardedBelow));
        var later = At(111 + (1UL << 32), 121 + (1UL << 32), Noon) with { Facts = now.Facts };
        Assert.True(Behind(plan, later).Window.IsOfAnyTime);
    }

    [Fact]
    public void a_reading_of_the_whole_table_that_cannot_be_gone_on_with_begins_anew()
    {
        var whole = new Window(2, null, At(105, 105, Noon), null, 3, null);
        Assert.Null(BoundBehind(whole));
        Assert.NotNull(BoundBehind(whole with { LowerBound = Noon }));
        Assert.NotNull(BoundBehind(whole with { From = Last }));

        static DateTime? BoundBehind(Window givenUp) =>
            WindowPlan.Next(3, Last, To, TableChange.None, Rewind.Some, Overlap, givenUp).Window.LowerBound;
    }

    [Fact]
    public void a_table_that_became_part_of_it_is_read_whole()
    {
        var plan = Next(To, TableChange.None with { Joined = [17, 4] });
        Assert.Contains("OR tableoid = ANY ('{17,4}'::oid[]))", plan.Window.Query(Orders()), StringComparison.Ordinal);
        Assert.NotEmpty(plan.AnyTimeReason);
    }

    [Fact]
    public void values_that_read_otherwise_and_a_disk_that_was_put_back_have_the_whole_table_read_again()
    {
        foreach (var plan in new[]
        {
            Next(To, TableChange.None with { Reread = "a column was added" }),
            WindowPlan.Next(2, Last, To, TableChange.None, Rewind.BehindItsDisk, Overlap),
            WindowPlan.Next(2, Last, To, TableChange.None, Rewind.Undone, Overlap),
        })
        {
            Assert.True(plan.IsReread);
            Assert.Equal((null, null), (plan.Window.From, plan.Window.LowerBound));
        }
    }

    [Fact]
    public void after_a_rewind_rows_of_other_files_other_triggers_or_other_values_are_read_whole()
    {
        var facts = new TableFacts("one", true, NoValues, [], "a");
        Assert.Null(BoundAfterRewind(facts, facts with { Storage = "two" }));
        Assert.Null(BoundAfterRewind(facts, facts with { Triggers = "b" }));
        Assert.Null(BoundAfterRewind(facts, facts with { Values = NoValues.Add("a1", "renamed") }));
        Assert.NotNull(BoundAfterRewind(facts, facts));
        // A position of an earlier version says nothing of triggers.
        Assert.NotNull(BoundAfterRewind(facts with { Triggers = null }, facts));
    }

    private static DateTime? BoundAfterRewind(TableFacts before, TableFacts now) => WindowPlan.Next(
        2, Last with { Facts = before }, To with { Facts = now }, TableChange.None, Rewind.Some, Overlap).Window.LowerBound;

    private static ImmutableSortedDictionary<string, string> NoValues => ImmutableSortedDictionary<string, string>.Empty;

    private static WindowPlan Behind(WindowPlan plan, Horizon to) =>
        WindowPlan.Next(plan.Window.Number + 1, plan.Window.To, to, TableChange.None, Rewind.None, Overlap);

    private static WindowPlan Next(Horizon to, TableChange? change = null) =>
        WindowPlan.Next(2, Last, to, change ?? TableChange.None, Rewind.None, Overlap);
}
