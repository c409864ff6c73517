using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Store;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// A stream's two halves as a functions platform calls them: one tick of a timer, one delivered batch. Every failure goes on to the
/// platform, which tries again: swallowed, it would let the platform commit a batch that is not in the lake (invariant 5).
/// </summary>
public sealed class StreamFunctions : IDisposable
{
    private readonly PipelineStream stream;
    private readonly Watchdog watchdog;
    private readonly BatchWidth width;
    private readonly TimeProvider time;
    private readonly TimeSpan runBudget;
    private readonly TriggeredHalf capture, store;
    private readonly SemaphoreSlim onePoll = new(1);
    private readonly SemaphoreSlim oneBatch = new(1);

    public StreamFunctions(PipelineStream stream, Watchdog watchdog, BatchLimit limit)
    {
        (this.stream, this.watchdog, time) = (stream, watchdog, stream.Process.Time);
        width = new BatchWidth(limit);
        (capture, store) = (Half(nameof(PostgresToKafka)), Half(nameof(KafkaToLake)));
        var options = stream.Options;
        var interval = TimeSpan.FromSeconds(options.Streaming.BatchInterval);
        runBudget = interval > PostgresToKafka.PollBudget ? interval : PostgresToKafka.PollBudget;
        stream.Logger.Running(options.Postgres.Table, options.Kafka.Topic, options.Datalake.Path);
    }

    /// <summary>
    /// One tick: publishes what was committed since the last. A window that is too long for one run (the initial load) goes on in the
    /// next, which follows at once, since this one lasted for longer than the timer's interval.
    /// </summary>
    /// <exception cref="FailedRunException">Whatever failed; the next tick starts from the durable position.</exception>
    /// <exception cref="StoppedRunException">The platform broke it off.</exception>
    public async Task PollAsync(CancellationToken cancellationToken)
    {
        watchdog.Ticked();
        using var run = watchdog.Run();
        // A run that was started by hand meets the timer's.
        if (!await onePoll.WaitAsync(TimeSpan.Zero, cancellationToken)) return;
        try
        {
            var begun = time.GetTimestamp();
            PollResult poll;
            do
            {
                poll = await GuardAsync(
                    capture, () => PollOnceAsync(cancellationToken), p => p.Outcome == PollOutcome.StandingBy, cancellationToken);
            }
            while (!poll.WindowDone && time.GetElapsedTime(begun) < runBudget);
        }
        finally
        {
            onePoll.Release();
        }
    }

    /// <summary>One delivered batch. On return every record of it is durable in the lake, as a row or in quarantine.</summary>
    /// <exception cref="FailedRunException">Whatever failed; the batch must be delivered again.</exception>
    /// <exception cref="StoppedRunException">The platform broke it off: the same.</exception>
    public async Task StoreAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        using var run = watchdog.Run();
        await oneBatch.WaitAsync(cancellationToken);
        try
        {
            await GuardAsync(store, () => stream.Store.StoreAsync(records, cancellationToken), _ => false, cancellationToken);
        }
        finally
        {
            oneBatch.Release();
        }
    }

    /// <summary>The standing audit, until it is told to stop: beside the ticks, which it does not hold up.</summary>
    public Task AuditAsync(CancellationToken cancellationToken) =>
        Task.Run(() => stream.Audit.RunAsync(cancellationToken), CancellationToken.None);

    public void Dispose()
    {
        capture.Dispose();
        store.Dispose();
        onePoll.Dispose();
        oneBatch.Dispose();
    }

    private TriggeredHalf Half(string name)
    {
        var half = new TriggeredHalf(stream, name);
        if (!watchdog.IsSwitchedOff(name)) half.Begin();
        return half;
    }

    private async Task<PollResult> PollOnceAsync(CancellationToken cancellationToken)
    {
        width.Check();
        var poll = await stream.Capture.PollAsync(PostgresToKafka.PollBudget, cancellationToken);
        capture.Running.Polled(poll);
        width.Polled(poll);
        return poll;
    }

    private async Task<T> GuardAsync<T>(
        TriggeredHalf half, Func<Task<T>> work, Func<T, bool> standsBy, CancellationToken cancellationToken)
    {
        var outage = half.Outage;
        try
        {
            var result = await work();
            outage.Succeeded(standsBy(result));
            return result;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Broken off by the platform: whatever it ended in says nothing about the half.
            throw new StoppedRunException(outage.Half, cancellationToken);
        }
        catch (Exception e)
        {
            // Logged and thrown: the platform knows nothing of remedies, and we do not decide when it tries again.
            var isNew = outage.Failed(e);
            var verdict = outage.Verdict!;
            if (isNew && verdict.Action != FailureAction.Retry) stream.Logger.HalfStopped(outage.Half, verdict.Problem, verdict.Remedy, e);
            throw new FailedRunException(outage.Half, verdict, e);
        }
    }

    /// <summary>
    /// A half that is seen to run from the start, before anything triggers it; one that is switched off when it is triggered all the same.
    /// </summary>
    private sealed class TriggeredHalf(PipelineStream stream, string name) : IDisposable
    {
        private readonly Lazy<(RunningHalf Running, Outage Outage)> begun = new(() =>
        {
            var running = stream.Begin(name);
            return (running, stream.NewOutage(running));
        });

        public RunningHalf Running => begun.Value.Running;
        public Outage Outage => begun.Value.Outage;

        public void Begin() => _ = begun.Value;

        public void Dispose()
        {
            if (begun.IsValueCreated) Running.Dispose();
        }
    }
}
