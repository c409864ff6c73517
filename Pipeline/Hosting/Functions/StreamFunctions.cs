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
    /// <summary>After this a poll reports a window in progress, and returns.</summary>
    private static readonly TimeSpan PollBudget = TimeSpan.FromMinutes(1);

    private readonly PipelineStream stream;
    private readonly TimeProvider time;
    private readonly TimeSpan runBudget;
    private readonly Outage capturing;
    private readonly Outage storing;
    private readonly SemaphoreSlim onePoll = new(1);
    private readonly SemaphoreSlim oneBatch = new(1);

    public StreamFunctions(PipelineStream stream)
    {
        (this.stream, time) = (stream, stream.Process.Time);
        capturing = stream.NewOutage(nameof(PostgresToKafka));
        storing = stream.NewOutage(nameof(KafkaToLake));
        var options = stream.Options;
        var interval = TimeSpan.FromSeconds(options.Streaming.BatchInterval);
        runBudget = interval > PollBudget ? interval : PollBudget;
        stream.Logger.Running(options.Postgres.Table, options.Kafka.Topic, options.Datalake.Path);
    }

    /// <summary>
    /// One tick: publishes what was committed since the last. A window that is too long for one run (the initial load) goes on in the
    /// next, which follows at once, since this one lasted for longer than the timer's interval.
    /// </summary>
    /// <exception cref="Exception">Whatever failed; the next tick starts from the durable position.</exception>
    public async Task PollAsync(CancellationToken cancellationToken)
    {
        // A run that was started by hand meets the timer's.
        if (!await onePoll.WaitAsync(TimeSpan.Zero, cancellationToken)) return;
        try
        {
            var begun = time.GetTimestamp();
            Task<PollResult> PollOnceAsync() => stream.Capture.PollAsync(PollBudget, cancellationToken);
            while (!(await GuardAsync(capturing, PollOnceAsync, cancellationToken)).WindowDone && time.GetElapsedTime(begun) < runBudget)
            {
                // The poll has said how far it got.
            }
        }
        finally
        {
            onePoll.Release();
        }
    }

    /// <summary>One delivered batch. On return every record of it is durable in the lake, as a row or in quarantine.</summary>
    /// <exception cref="Exception">Whatever failed; the batch must be delivered again.</exception>
    public async Task StoreAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        await oneBatch.WaitAsync(cancellationToken);
        try
        {
            await GuardAsync(storing, () => stream.Store.StoreAsync(records, cancellationToken), cancellationToken);
        }
        finally
        {
            oneBatch.Release();
        }
    }

    public void Dispose()
    {
        onePoll.Dispose();
        oneBatch.Dispose();
    }

    private async Task<T> GuardAsync<T>(Outage outage, Func<Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            var result = await work();
            outage.Succeeded();
            return result;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Broken off by the platform: whatever it ended in says nothing about the half.
            throw;
        }
        catch (Exception e)
        {
            // Logged and thrown: the platform knows nothing of remedies, and we do not decide when it tries again.
            if (outage.Failed(e) && outage.Verdict is { Action: not FailureAction.Retry } verdict)
                stream.Logger.HalfStopped(outage.Half, verdict.Problem, verdict.Remedy, e);
            throw;
        }
    }
}
