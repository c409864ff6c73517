using System.Globalization;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;

namespace OrdersStream.Status;

/// <summary>What waits for a half.</summary>
/// <param name="Waits">Whether anything does; null: that cannot be told.</param>
/// <param name="Seconds">For how long the oldest of it has; null: that cannot be told.</param>
/// <param name="Text">What waits, in words.</param>
internal sealed record Backlog(bool? Waits, double? Seconds, string Text)
{
    /// <summary>Nothing was ever done: it waits for as long as somebody has been at it.</summary>
    public bool IsFirst { get; init; }

    /// <summary>It takes as long as it takes: a table that is loaded for the first time.</summary>
    public bool IsUntimed { get; init; }

    /// <summary>When something of it was done last; null: that is not known.</summary>
    public DateTimeOffset? MovedAt { get; init; }

    /// <summary>For so long the half itself lets it wait.</summary>
    public TimeSpan Collected { get; init; }
}

/// <summary>Who is seen to run a half by another sign than a heartbeat: the session that holds the poller's lock.</summary>
/// <param name="Who">In words.</param>
/// <param name="Since">When the session began.</param>
internal sealed record LockHolder(string Who, DateTimeOffset Since);

/// <summary>
/// Whether a half does its work, by the heartbeats of those who run it and by what waits for it. Nothing is well that nobody was seen to do
/// (invariant 11): a half that nobody runs is wrong where anything waits for it, and else it cannot be told.
/// </summary>
internal sealed class HalfJudge(TimeSpan lagMax, DateTimeOffset now)
{
    private const string LooksAtLog = "The log of that process says what it is at.";

    /// <summary>A page of what takes as long as it takes may take so long, however little a half may be behind.</summary>
    private static readonly TimeSpan StillMin = TimeSpan.FromSeconds(60);

    /// <param name="half">Its name.</param>
    /// <param name="beats">All that are known of it.</param>
    /// <param name="backlog">What waits for it.</param>
    /// <param name="holder">Who holds the poller's lock; null: nobody, or the half has none.</param>
    public HalfStatus Judge(string half, IReadOnlyList<Heartbeat> beats, Backlog backlog, LockHolder? holder = null)
    {
        var alive = beats.Where(b => b.IsAlive(now)).ToList();
        // Whoever is in trouble needs help, whatever others do.
        if (Newest(alive, HalfActivity.Stopped) is { } stops) return Stopped(stops);
        if (Newest(alive, HalfActivity.Retrying) is { } tries)
            return new(
                half, HalfState.Retrying, Health.Wrong,
                $"{Who(tries)} has tried again since {Clock(tries.Report.Since)}: {tries.Report.Cause}", tries.Report.Since,
                backlog.Seconds);
        if (Newest(alive, HalfActivity.Running) is { } runs)
            return ByLag(half, HalfState.Running, $"{Who(runs)} runs it since {Clock(runs.StartedAt)}", runs.StartedAt, backlog);
        // A lock outlives the work of who hangs, and others stand by for it.
        if (holder is not null)
            return beats.Where(Hangs).MaxBy(b => b.At) is { } hangs ? Silent(hangs)
                : ByLag(half, HalfState.Running, $"{holder.Who} runs it", null, backlog);
        if (Newest(alive, HalfActivity.StandingBy) is { } stands)
            return ByLag(half, HalfState.StandingBy, $"{Who(stands)} stands by for another instance", stands.StartedAt, backlog);
        var last = beats.MaxBy(b => b.At);
        return last switch
        {
            { Report.Activity: HalfActivity.Stopped } => Stopped(last),
            null => Nobody("nobody runs it, and nobody has, as far as its state folder tells"),
            { Report: { Activity: HalfActivity.Ended } ended } => Nobody($"nobody runs it: {Who(last)} ended at {Clock(ended.Since)}"),
            { Process.IsThere: true } => Silent(last),
            _ => Nobody($"nobody runs it: {Who(last)} was heard of at {Clock(last.At)} for the last time"),
        };

        // Of a process that cannot be seen from here: its heart still beat when the session was there that holds the lock.
        bool Hangs(Heartbeat b) => b.Report.Activity == HalfActivity.Running && b.IsLate(now)
            && b.Process.IsThere is var isThere && (isThere is true || (isThere is null && b.At > holder.Since));

        HalfStatus Silent(Heartbeat b) => Idle(HalfState.Silent,
            $"{Who(b)} was heard of at {Clock(b.At)} for the last time, and "
            + (holder is null ? "is still there" : "the poller's lock is still held") + ": it hangs, or its state folder cannot be written",
            "Look at that process and its disk.", b.At);

        HalfStatus Nobody(string says) => Idle(HalfState.Nobody, says, $"Start it: {CommandOf(half)}.", last?.At);

        HalfStatus Idle(HalfState state, string says, string remedy, DateTimeOffset? since) => new(
            half, state, backlog.Waits is true ? Health.Wrong : Health.Unknown, $"{says}; {backlog.Text}. {remedy}", since,
            backlog.Seconds) { Remedy = remedy };

        HalfStatus Stopped(Heartbeat b) => new(half, HalfState.Stopped, Health.Wrong,
            $"{Who(b)} stopped at {Clock(b.Report.Since)}: {b.Report.Cause} Then start it again: {CommandOf(half)}.",
            b.Report.Since, backlog.Seconds);
    }

    /// <summary>Somebody is at it: whether it gets on is told by how far it is behind.</summary>
    private HalfStatus ByLag(string half, HalfState state, string says, DateTimeOffset? since, Backlog backlog)
    {
        var lag = backlog.Seconds ?? (backlog.IsFirst && since is { } begun ? (now - begun).TotalSeconds : null);
        if (lag > (lagMax + backlog.Collected).TotalSeconds)
            return new(half, state, Health.Wrong, string.Create(CultureInfo.InvariantCulture,
                $"{says}; {backlog.Text}: {lag:0} s behind, and status.lag_max is {lagMax.TotalSeconds:0} s. ")
                + LooksAtLog, since, lag) { Remedy = LooksAtLog };
        var stillMax = lagMax > StillMin ? lagMax : StillMin;
        // Who has only begun has had no time yet.
        var stillSince = backlog.MovedAt > since || since is null ? backlog.MovedAt : since;
        if (backlog is { IsUntimed: true, MovedAt: { } movedAt } && now - stillSince > stillMax)
            return new(half, state, Health.Wrong,
                $"{says}; {backlog.Text}, and no page of it was published since {Clock(movedAt)}. "
                + LooksAtLog, since, lag) { Remedy = LooksAtLog };
        var isTold = backlog.Waits is false || backlog.IsUntimed || backlog.Seconds is not null;
        var untold = backlog.Waits is true && !isTold ? ", and for how long cannot be told" : "";
        return new(half, state, isTold ? Health.Well : Health.Unknown, $"{says}; {backlog.Text}{untold}", since, lag);
    }

    private static Heartbeat? Newest(IReadOnlyList<Heartbeat> beats, HalfActivity activity) =>
        beats.Where(b => b.Report.Activity == activity).MaxBy(b => b.At);

    private static string Who(Heartbeat b) =>
        string.Create(CultureInfo.InvariantCulture, $"{b.Program}, process {b.Process.Pid} on {b.Process.Machine},");

    private static string Clock(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>As LocalHost is told to.</summary>
    private static string CommandOf(string half) =>
        $"'run', or 'run --only {(half == nameof(PostgresToKafka) ? "postgres-to-kafka" : "kafka-to-lake")}'";
}
