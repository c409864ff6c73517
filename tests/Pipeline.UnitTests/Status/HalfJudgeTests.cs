using OrdersStream.Diagnostics;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

/// <summary>Nothing is well that nobody was seen to do.</summary>
public sealed class HalfJudgeTests
{
    private const string Half = "KafkaToLake";

    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan LagMax = TimeSpan.FromSeconds(50);

    private static readonly ProcessMark Here = ProcessMark.Own;
    private static readonly ProcessMark Dead = ProcessMark.Own with { Started = "another" };
    private static readonly ProcessMark Elsewhere = new("another machine", "", 42, "1");

    private static readonly Backlog Nothing = new(false, 0, "nothing waits");
    private static readonly Backlog NotTold = new(null, null, "nobody can tell");

    [Fact]
    public void who_runs_and_has_nothing_to_do_is_well() =>
        ShouldBe(HalfState.Running, Health.Well, [Beat(HalfActivity.Running)], Nothing);

    [Theory]
    [InlineData(50, Health.Well)]
    [InlineData(51, Health.Wrong)]
    public void who_runs_may_be_behind_as_far_as_it_is_allowed(int seconds, Health health)
    {
        var status = ShouldBe(HalfState.Running, health, [Beat(HalfActivity.Running)], Waiting(seconds));
        Assert.Equal(seconds, status.LagSeconds);
        if (health == Health.Wrong) Assert.Contains("12 wait: 51 s behind, and status.lag_max is 50 s.", status.Says);
    }

    [Fact]
    public void how_long_it_waits_must_be_told_unless_it_takes_as_long_as_it_takes()
    {
        ShouldBe(HalfState.Running, Health.Unknown, [Beat(HalfActivity.Running)], Waiting(null));
        ShouldBe(HalfState.Running, Health.Well, [Beat(HalfActivity.Running)], Waiting(null) with { IsUntimed = true });
        ShouldBe(HalfState.Running, Health.Unknown, [Beat(HalfActivity.Running)], NotTold);
    }

    /// <summary>A minute, or as long as a half may be behind.</summary>
    [Theory]
    [InlineData(50, 60, Health.Well)]
    [InlineData(50, 61, Health.Wrong)]
    [InlineData(100, 100, Health.Well)]
    [InlineData(100, 101, Health.Wrong)]
    public void what_takes_as_long_as_it_takes_must_get_on(int lagMax, int stillFor, Health health)
    {
        var backlog = Waiting(null) with { IsUntimed = true, MovedAt = Now.AddSeconds(-stillFor) };
        var status = new HalfJudge(TimeSpan.FromSeconds(lagMax), Now).Judge(Half, [Beat(HalfActivity.Running)], backlog);
        Assert.Equal((HalfState.Running, health), (status.State, status.Health));
        if (health == Health.Wrong) Assert.Contains("no page of it was published since 2026-03-01 11:58:", status.Says);
    }

    /// <summary>Running since long ago, and nothing came of it.</summary>
    [Theory]
    [InlineData(10, Health.Unknown)]
    [InlineData(60, Health.Wrong)]
    public void who_has_done_nothing_yet_is_not_well_and_behind_since_it_began(int seconds, Health health) =>
        ShouldBe(
            HalfState.Running, health, [Beat(HalfActivity.Running) with { StartedAt = Now.AddSeconds(-seconds) }],
            NotTold with { IsFirst = true });

    [Fact]
    public void nobody_is_wrong_where_something_waits_and_else_it_cannot_be_told()
    {
        var wrong = ShouldBe(HalfState.Nobody, Health.Wrong, [], Waiting(1));
        Assert.Contains("nobody runs it, and nobody has", wrong.Says);
        Assert.EndsWith("12 wait. Start it: 'run', or 'run --only kafka-to-lake'.", wrong.Says);
        ShouldBe(HalfState.Nobody, Health.Unknown, [], Nothing);
        ShouldBe(HalfState.Nobody, Health.Unknown, [], NotTold);
    }

    [Fact]
    public void a_process_that_is_dead_runs_nothing_though_its_heart_beat_a_moment_ago()
    {
        var status = ShouldBe(HalfState.Nobody, Health.Wrong, [Beat(HalfActivity.Running, Dead)], Waiting(1));
        Assert.Contains($"process {Here.Pid} on {Here.Machine}, was heard of at 2026-03-01 12:00:00 for the last time", status.Says);
        ShouldBe(HalfState.Nobody, Health.Wrong, [Beat(HalfActivity.Retrying, Dead)], Waiting(1));
    }

    /// <summary>Three intervals, and ten seconds at the least.</summary>
    [Theory]
    [InlineData(1, 10, HalfState.Running)]
    [InlineData(1, 11, HalfState.Nobody)]
    [InlineData(10, 30, HalfState.Running)]
    [InlineData(10, 31, HalfState.Nobody)]
    // A clock that is ahead keeps nobody alive for as long as it is.
    [InlineData(1, -10, HalfState.Running)]
    [InlineData(1, -11, HalfState.Nobody)]
    public void on_another_machine_a_heart_that_beats_no_more_is_dead(int interval, int age, HalfState state)
    {
        var beat = Beat(HalfActivity.Running, Elsewhere, age) with { Interval = TimeSpan.FromSeconds(interval) };
        Assert.Equal(state, Judge([beat], Nothing).State);
    }

    [Fact]
    public void a_process_that_is_there_and_not_heard_of_is_told_from_one_that_is_gone()
    {
        var status = ShouldBe(HalfState.Silent, Health.Wrong, [Beat(HalfActivity.Running, Here, age: 60)], Waiting(1));
        Assert.Contains("it hangs, or its state folder cannot be written", status.Says);
        ShouldBe(HalfState.Silent, Health.Unknown, [Beat(HalfActivity.Running, Here, age: 60)], Nothing);
    }

    [Fact]
    public void who_tries_again_is_wrong_with_its_cause_whatever_others_do()
    {
        var status = ShouldBe(
            HalfState.Retrying, Health.Wrong, [Beat(HalfActivity.Retrying, Elsewhere), Beat(HalfActivity.Running)], Nothing);
        Assert.Contains("since 2026-03-01 11:59:00: The disk is full. Make room.", status.Says);
    }

    [Fact]
    public void who_stopped_is_wrong_until_another_runs()
    {
        var stopped = Beat(HalfActivity.Stopped, Dead, age: 3_600);
        var status = ShouldBe(HalfState.Stopped, Health.Wrong, [stopped, Beat(HalfActivity.Ended, Dead, 3_601)], Nothing);
        Assert.Contains("The disk is full. Make room. Then start it again: 'run'", status.Says);
        ShouldBe(HalfState.Running, Health.Well, [stopped, Beat(HalfActivity.Running)], Nothing);
        ShouldBe(HalfState.Nobody, Health.Unknown, [stopped, Beat(HalfActivity.Ended, Dead, age: 3_599)], Nothing);
        // One that a platform goes on to trigger.
        ShouldBe(HalfState.Stopped, Health.Wrong, [Beat(HalfActivity.Stopped), Beat(HalfActivity.Running)], Nothing);
    }

    [Fact]
    public void who_ended_is_nobody()
    {
        var status = ShouldBe(HalfState.Nobody, Health.Unknown, [Beat(HalfActivity.Ended)], Nothing);
        Assert.Contains($"process {Here.Pid} on {Here.Machine}, ended at 2026-03-01 11:59:00", status.Says);
    }

    [Fact]
    public void who_stands_by_does_so_for_somebody_and_is_judged_by_what_that_one_leaves()
    {
        ShouldBe(HalfState.StandingBy, Health.Well, [Beat(HalfActivity.StandingBy)], Waiting(1));
        ShouldBe(HalfState.StandingBy, Health.Wrong, [Beat(HalfActivity.StandingBy)], Waiting(51));
    }

    [Fact]
    public void another_sign_of_somebody_at_work_counts_too()
    {
        var status = Judge([Beat(HalfActivity.StandingBy)], Waiting(1), "session 7");
        Assert.Equal((HalfState.Running, Health.Well, "session 7 runs it; 12 wait"), (status.State, status.Health, status.Says));
        Assert.Equal(Health.Wrong, Judge([], Waiting(51), "session 7").Health);
        // Since when is not known.
        Assert.Equal(Health.Unknown, Judge([], NotTold with { IsFirst = true }, "session 7").Health);
    }

    [Fact]
    public void a_lock_that_is_held_is_no_sign_of_who_holds_it_and_hangs()
    {
        var hangs = Beat(HalfActivity.Running, Here, age: 60);
        Assert.Equal(HalfState.Silent, Judge([hangs], Nothing, "session 7").State);
        Assert.Equal(HalfState.Running, Judge([hangs with { Process = Dead }], Nothing, "session 7").State);
    }

    /// <summary>Others wait for a lock whose holder was stopped, or frozen with its machine: nobody is at work.</summary>
    [Fact]
    public void who_stands_by_for_one_that_hangs_does_not_make_it_well()
    {
        var stands = Beat(HalfActivity.StandingBy);
        Assert.Equal((HalfState.Silent, Health.Unknown), Judged([Beat(HalfActivity.Running, Here, age: 60), stands], since: 3_600));
        // It cannot be seen whether that process is there; its heart beat when the session was there, or before.
        var frozen = Beat(HalfActivity.Running, Elsewhere, age: 60);
        Assert.Equal((HalfState.Silent, Health.Unknown), Judged([frozen, stands], since: 61));
        Assert.Equal((HalfState.Running, Health.Well), Judged([frozen, stands], since: 59));
        // Who stood by has the lock by now.
        Assert.Equal((HalfState.Running, Health.Well), Judged([frozen, Beat(HalfActivity.Running)], since: 61));

        (HalfState, Health) Judged(Heartbeat[] beats, int since)
        {
            var status = Judge(beats, Nothing, "session 7", since);
            return (status.State, status.Health);
        }
    }

    [Theory]
    [InlineData(150, Health.Well)]
    [InlineData(151, Health.Wrong)]
    public void what_a_half_collects_on_purpose_is_not_behind(int seconds, Health health) =>
        ShouldBe(
            HalfState.Running, health, [Beat(HalfActivity.Running)],
            Waiting(seconds) with { Collected = TimeSpan.FromSeconds(100) });

    private static HalfStatus ShouldBe(HalfState state, Health health, Heartbeat[] beats, Backlog backlog)
    {
        var status = Judge(beats, backlog);
        Assert.Equal((Half, state, health), (status.Name, status.State, status.Health));
        return status;
    }

    private static HalfStatus Judge(Heartbeat[] beats, Backlog backlog, string? holder = null, int since = 0) =>
        new HalfJudge(LagMax, Now).Judge(
            Half, beats, backlog, holder is null ? null : new LockHolder(holder, Now.AddSeconds(-since)));

    private static Backlog Waiting(double? seconds) => new(true, seconds, "12 wait");

    private static Heartbeat Beat(HalfActivity activity, ProcessMark? process = null, int age = 0) => new(
        Guid.NewGuid().ToString("N"), Half, "LocalHost", process ?? Here, Now.AddHours(-1), Now.AddSeconds(-age), TimeSpan.FromSeconds(1),
        new HalfReport(activity, Now.AddMinutes(-1), "The disk is full. Make room."));
}
