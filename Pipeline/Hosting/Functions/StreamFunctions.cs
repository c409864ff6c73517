using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.Triggers;

/// <summary>
/// The two halves as a platform triggers them: one tick of a timer, one delivered batch. Every failure goes on to the platform, which tries
/// again: swallowed, it would let the platform commit a batch that is not in the lake (invariant 5).
/// </summary>
public sealed class TriggeredHalves : IDisposable
{
    /// <summary>After this a window in progress is told of, and goes on.</summary>
    private static readonly TimeSpan PollBudget = TimeSpan.FromMinutes(1);

    private readonly PostgresToKafka capture;
    private readonly LakeOpener lake;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly TimeSpan runBudget;
    private readonly Trouble capturing;
    private readonly Trouble storing;
    private readonly SemaphoreSlim onePoll = new(1);
    private readonly SemaphoreSlim oneBatch = new(1);
    private KafkaToLake? storage;

    public TriggeredHalves(
        PostgresToKafka capture, LakeOpener lake, FailureJournal journal, PipelineOptions options, TimeProvider time, ILogger<TriggeredHalves> logger)
    {
        (this.capture, this.lake, this.time, this.logger) = (capture, lake, time, logger);
        capturing = new(nameof(PostgresToKafka), journal, time, logger);
        storing = new(nameof(KafkaToLake), journal, time, logger);
        var interval = TimeSpan.FromSeconds(options.Streaming.BatchInterval);
        runBudget = interval > PollBudget ? interval : PollBudget;
        logger.Running(options.Postgres.Table, options.Kafka.Topic, options.Datalake.Path);
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
            while (!(await GuardAsync(capturing, () => capture.PollAsync(PollBudget, cancellationToken), cancellationToken)).WindowDone
                && time.GetElapsedTime(begun) < runBudget)
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
            await GuardAsync(storing, () => StoreOnceAsync(records, cancellationToken), cancellationToken);
        }
        finally
        {
            oneBatch.Release();
        }
    }

    public void Dispose()
    {
        storage?.Dispose();
        onePoll.Dispose();
        oneBatch.Dispose();
    }

    private async Task<BatchResult> StoreOnceAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken)
    {
        try
        {
            storage ??= await lake.OpenAsync(cancellationToken);
            return await storage.StoreAsync(records, cancellationToken);
        }
        catch
        {
            // What this process believes may be stale now; the commit log and the topic are not.
            storage?.Dispose();
            storage = null;
            throw;
        }
    }

    private async Task<T> GuardAsync<T>(Trouble trouble, Func<Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            var result = await work();
            trouble.Succeeded();
            return result;
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Broken off by the platform: whatever it ended in says nothing about the half.
            throw;
        }
        catch (Exception e)
        {
            // Told and thrown: the platform knows nothing of remedies, and we do not decide when it tries again.
            if (trouble.Failed(e) && trouble.Verdict is { Action: not FailureAction.Retry } verdict) logger.HalfStopped(trouble.Half, verdict.Problem, verdict.Remedy, e);
            throw;
        }
    }
}
