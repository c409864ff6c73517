using System.Globalization;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.Hosting;

/// <summary>
/// A half that this process runs, from its beginning to its end, as others see it: it beats by a clock of its own, for a half may be at
/// one thing for long, and beats at once when what it does is another. Where its file cannot be written, it says nothing: whoever writes
/// there to some purpose does.
/// </summary>
public sealed class RunningHalf : IDisposable
{
    /// <summary>How often a heart beats: no oftener than a second, and so often that its end is noticed within half a minute.</summary>
    private static readonly TimeSpan IntervalMax = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private readonly PipelineStream stream;
    private readonly HeartbeatFolder folder;
    private readonly ITimer timer;
    private readonly string id = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture);
    private readonly DateTimeOffset startedAt;
    private readonly TimeSpan interval;
    private long capturedUpTo;
    private volatile PollResult? published;
    private bool isDisposed;
    private volatile bool isDue;

    internal RunningHalf(PipelineStream stream, string name)
    {
        (this.stream, Name) = (stream, name);
        var (time, batchInterval) = (stream.Process.Time, TimeSpan.FromSeconds(stream.Options.Streaming.BatchInterval));
        interval = batchInterval < IntervalMax ? batchInterval : IntervalMax;
        startedAt = time.GetUtcNow();
        Condition = new HalfCondition(time) { Changed = Beat };
        folder = new HeartbeatFolder(stream.Options, name);
        Try(() => folder.Begin(startedAt));
        Beat();
        timer = time.CreateTimer(_ => Beat(), null, interval, interval);
    }

    public string Name { get; }

    internal HalfCondition Condition { get; }

    /// <summary>What a process that observes itself knows, though it could not be written.</summary>
    internal Heartbeat Heartbeat => new(
        id, Name, stream.Process.Process.Host, ProcessMark.Own, startedAt, stream.Process.Time.GetUtcNow(), interval, Condition.Report,
        Interlocked.Read(ref capturedUpTo) is > 0 and var ticks ? new DateTime(ticks, DateTimeKind.Utc) : null,
        (Name == nameof(KafkaToLake) ? stream.Store.Last?.Lag : published?.Lag)?.TotalSeconds);

    /// <summary>A poll came to its end.</summary>
    public void Polled(PollResult poll)
    {
        if (poll.Rows > 0) published = poll;
        if (poll.CapturedUpTo is { } upTo) Interlocked.Exchange(ref capturedUpTo, upTo.UtcTicks);
    }

    public void Dispose()
    {
        lock (gate)
        {
            if (isDisposed) return;
            isDisposed = true;
            timer.Dispose();
            Condition.Changed = null;
            Condition.Ends();
            Try(() => folder.Write(Heartbeat));
        }
        stream.Ended(this);
    }

    // On a disk that hangs one waits, and not one more each time.
    private void Beat()
    {
        isDue = true;
        // Whoever is at it writes what changed meanwhile, too.
        while (isDue && gate.TryEnter())
        {
            try
            {
                isDue = false;
                if (!isDisposed) Try(() => folder.Write(Heartbeat));
            }
            finally
            {
                gate.Exit();
            }
        }
    }

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception)
        {
            // An observation: whatever keeps it from being written must not end what is observed.
        }
    }
}
