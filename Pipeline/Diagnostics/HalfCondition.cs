namespace OrdersStream.Diagnostics;

/// <summary>What a half does, as it says itself.</summary>
public enum HalfActivity
{
    /// <summary>It does its work, or waits for some.</summary>
    Running,
    /// <summary>It waits for another instance to end.</summary>
    StandingBy,
    /// <summary>It tries again what failed.</summary>
    Retrying,
    /// <summary>A human is needed.</summary>
    Stopped,
    /// <summary>It was told to end, or had done what there was.</summary>
    Ended,
}

/// <summary>What a half says of itself at one moment.</summary>
/// <param name="Activity">What it does.</param>
/// <param name="Since">Since when.</param>
/// <param name="Cause">Why, and what to do about it; null where it needs no reason.</param>
public sealed record HalfReport(HalfActivity Activity, DateTimeOffset Since, string? Cause = null);

/// <summary>
/// What a half does, for those who observe it: another thread, or by its heartbeat another process. Told by whatever judges its failures,
/// in both hosts.
/// </summary>
public sealed class HalfCondition(TimeProvider time)
{
    private volatile HalfReport report = new(HalfActivity.Running, time.GetUtcNow());
    private volatile bool isLoop;
    private long turnedAt;

    public HalfReport Report => report;

    /// <summary>How long ago the half's loop came round; null: no loop drives it, a platform calls it.</summary>
    public TimeSpan? SinceTurn => isLoop ? time.GetElapsedTime(Interlocked.Read(ref turnedAt)) : null;

    /// <summary>Called when it is another; not when the cause alone is.</summary>
    public Action? Changed { get; set; }

    internal void Turns()
    {
        Interlocked.Exchange(ref turnedAt, time.GetTimestamp());
        isLoop = true;
    }

    /// <summary>It has not come round, and gets on.</summary>
    internal void Progresses() => Interlocked.Exchange(ref turnedAt, time.GetTimestamp());

    internal void Works(bool standsBy) => Become(standsBy ? HalfActivity.StandingBy : HalfActivity.Running, null);

    internal void Fails(FailureVerdict verdict) =>
        Become(verdict.Action == FailureAction.Retry ? HalfActivity.Retrying : HalfActivity.Stopped, verdict);

    internal void Stops(FailureVerdict verdict) => Become(HalfActivity.Stopped, verdict);

    /// <summary>It goes on no more; why it stopped is still to be read.</summary>
    internal void Ends()
    {
        if (report.Activity != HalfActivity.Stopped) Become(HalfActivity.Ended, null);
    }

    private void Become(HalfActivity activity, FailureVerdict? verdict)
    {
        var before = report;
        // As often as a half works.
        if (before.Activity == activity && verdict is null) return;
        var cause = verdict is null ? null : $"{verdict.Problem} {verdict.Check}";
        var isAnother = before.Activity != activity;
        report = new(activity, isAnother ? time.GetUtcNow() : before.Since, cause);
        if (isAnother) Changed?.Invoke();
    }
}
