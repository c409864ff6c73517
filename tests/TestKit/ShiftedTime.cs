namespace OrdersStream.TestKit;

/// <summary>The system's clock, moved on by a test: timers run as they do.</summary>
public sealed class ShiftedTime : TimeProvider
{
    private long shift;

    public void Shift(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref shift));

    public override long GetTimestamp() =>
        base.GetTimestamp() + Interlocked.Read(ref shift) / TimeSpan.TicksPerMillisecond * (TimestampFrequency / 1000);
}
