using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.IntegrationTests;

/// <summary>Both halves as one process has them; a second instance is a second process, or the same one started again.</summary>
public sealed class PipelineInstance : IAsyncDisposable
{
    private static readonly TimeSpan NoLimit = TimeSpan.FromMinutes(5);
    private readonly ServiceProvider services;
    private KafkaToLake? storage;

    public PipelineInstance(PipelineOptions options, CapturedLog log, Action<CrashPoint> onReached)
    {
        services = new ServiceCollection()
            .AddLogging(l => l.SetMinimumLevel(LogLevel.Debug).AddProvider(log))
            .AddSingleton(TimeProvider.System)
            .AddSingleton(new CrashPoints(onReached))
            .AddPipeline(options)
            .BuildServiceProvider();
    }

    public PostgresToKafka Capture => services.GetRequiredService<PostgresToKafka>();

    /// <summary>Stores one delivered batch.</summary>
    public async Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records)
    {
        var cancellation = TestContext.Current.CancellationToken;
        storage ??= await services.GetRequiredService<LakeOpener>().OpenAsync(cancellation);
        return await storage.StoreAsync(records, cancellation);
    }

    /// <summary>One poll to the end of its window.</summary>
    public Task<PollResult> PollAsync() => Capture.PollAsync(NoLimit, TestContext.Current.CancellationToken);

    /// <summary>One poll that publishes one page and leaves the rest of the window for later.</summary>
    public Task<PollResult> PollOnePageAsync() => Capture.PollAsync(TimeSpan.Zero, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        storage?.Dispose();
        await services.DisposeAsync();
    }
}
