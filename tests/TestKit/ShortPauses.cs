namespace OrdersStream.TestKit;

/// <summary>What waits to try or to look again waits a twentieth of its time: how long it waits is not what is tried here.</summary>
public sealed class ShortPauses : TimeProvider
{
    /// <summary>How far its clock is ahead.</summary>
    public TimeSpan Ahead { get; init; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime / 20 : dueTime, period);
}
