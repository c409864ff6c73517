using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Loops;
using OrdersStream.Site.Server;
using OrdersStream.Status;

namespace OrdersStream.TestKit;

/// <summary>A process with a stream and its loops, as LocalHost has them.</summary>
public sealed class TestRun : IAsyncDisposable
{
    // A round that a busy machine's broker broke off is tried again before who waits for one takes it for a standstill.
    static TestRun() => StandingAudit.RetryAfter = TimeSpan.FromSeconds(5);

    private readonly PipelineRun run;
    private readonly Lazy<StreamSite> site;

    /// <param name="options">The configuration in force.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where lines go.</param>
    /// <param name="crashPoints">Those of this run; null: nothing listens.</param>
    public TestRun(PipelineOptions options, TimeProvider time, ILoggerProvider log, CrashPoints? crashPoints = null)
    {
        Stream = NewStream(options, time, log, crashPoints);
        run = new PipelineRun(Stream);
        site = new Lazy<StreamSite>(() => new StreamSite(Stream));
    }

    public PipelineStream Stream { get; }
    public StreamSite Site => site.Value;
    public PostgresToKafkaLoop PostgresToKafka => run.PostgresToKafka;
    public KafkaToLakeLoop KafkaToLake => run.KafkaToLake;
    public ILogger Logger => Stream.Logger;

    /// <summary>A stream of a process of its own.</summary>
    public static PipelineStream NewStream(
        PipelineOptions options, TimeProvider time, ILoggerProvider log, CrashPoints? crashPoints = null) => new(
        options,
        new ProcessContext(
            time, crashPoints ?? CrashPoints.None, log.CreateLogger,
            new ProcessStatus("LocalHost", time.GetUtcNow(), [nameof(PostgresToKafka), nameof(KafkaToLake)])));

    /// <summary>Both halves are at work, as far as anybody can see, though nothing is done: for what else a status says.</summary>
    public IDisposable BothAtWork() => new AtWork([Stream.Begin(nameof(PostgresToKafka)), Stream.Begin(nameof(KafkaToLake))]);

    public Task UntilStoppedAsync(
        PipelineHalf? only, IReadOnlyList<int>? partitions, CancellationToken stop, CancellationToken cancellationToken) =>
        run.UntilStoppedAsync(only, partitions, stop, cancellationToken);

    /// <returns>Whether all that was there is done.</returns>
    public async Task<bool> OnceAsync(PipelineHalf? only, CancellationToken cancellationToken) =>
        await run.OnceAsync(only, cancellationToken) == DrainEnd.Done;

    private sealed class AtWork(RunningHalf[] halves) : IDisposable
    {
        public void Dispose()
        {
            foreach (var half in halves) half.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (site.IsValueCreated) site.Value.Dispose();
        await Stream.DisposeAsync();
    }
}
