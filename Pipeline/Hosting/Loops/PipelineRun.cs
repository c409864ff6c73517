using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Loops;
using OrdersStream.LocalHost.Page;
using OrdersStream.Status;
using OrdersStream.Status.StatusPage;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>Both halves wired up in this process, with their loops.</summary>
public sealed class PipelineRun : IAsyncDisposable
{
    private readonly ServiceProvider services;

    /// <param name="options">The configuration in force.</param>
    /// <param name="time">The clock.</param>
    /// <param name="log">Where lines go.</param>
    /// <param name="crashPoints">Those of this run; null: those of the process.</param>
    /// <param name="halves">What this process runs, for its status; null: both.</param>
    public PipelineRun(PipelineOptions options, TimeProvider time, ILoggerProvider log, CrashPoints? crashPoints = null, ImmutableArray<string>? halves = null)
    {
        services = new ServiceCollection()
            .AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log))
            .AddSingleton(time)
            .AddSingleton(crashPoints ?? CrashPoints.OfProcess)
            .AddSingleton(new ProcessStatus(nameof(LocalHost), time.GetUtcNow(), halves ?? [nameof(PostgresToKafka), nameof(KafkaToLake)]))
            .AddPipeline(options)
            .AddSingleton<PostgresToKafkaLoop>()
            .AddSingleton<KafkaToLakeLoop>()
            .BuildServiceProvider();
    }

    public PostgresToKafkaLoop PostgresToKafka => services.GetRequiredService<PostgresToKafkaLoop>();
    public KafkaToLakeLoop KafkaToLake => services.GetRequiredService<KafkaToLakeLoop>();
    public ILogger Logger => services.GetRequiredService<ILogger<PipelineRun>>();
    public T Get<T>() where T : notnull => services.GetRequiredService<T>();

    /// <summary>Runs the asked halves until they are told to stop; where one stops by a failure, the other ends too.</summary>
    /// <param name="only">The half; null: both.</param>
    /// <param name="partitions">What the storing half takes without joining a group; null: it joins.</param>
    /// <param name="stop">Ends both when they have done what they are at.</param>
    /// <param name="cancellationToken">Ends both at once; a page that is being published is given up, and captured by the next start.</param>
    /// <exception cref="HalfStoppedException">The failure, of the first half that stopped.</exception>
    public async Task UntilStoppedAsync(PipelineHalf? only, IReadOnlyList<int>? partitions, CancellationToken stop, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, cancellationToken);
        var halves = new List<Task>();
        if (only is null or PipelineHalf.PostgresToKafka) halves.Add(PostgresToKafka.RunAsync(end.Token, cancellationToken));
        if (only is null or PipelineHalf.KafkaToLake) halves.Add(KafkaToLake.RunAsync(partitions, end.Token));
        await Task.WhenAny(halves);
        await end.CancelAsync();
        await Task.WhenAll(halves);
    }

    /// <summary>Publishes what is in the table, then stores what is in the topic.</summary>
    /// <returns>False: another instance captures the table, so only what is in the topic was stored.</returns>
    /// <exception cref="HalfStoppedException">A half could not.</exception>
    public async Task<bool> OnceAsync(PipelineHalf? only, CancellationToken cancellationToken)
    {
        var captured = only is PipelineHalf.KafkaToLake || await PostgresToKafka.DrainAsync(cancellationToken);
        if (only is null or PipelineHalf.KafkaToLake) await KafkaToLake.DrainAsync(cancellationToken);
        return captured;
    }

    /// <summary>Serves the status page. To be called before the halves begin: what they do is counted from here on.</summary>
    /// <exception cref="PipelineException">The address cannot be taken.</exception>
    public Task<StatusServer> ServeAsync(IPEndPoint address, CancellationToken cancellationToken) =>
        StatusServer.StartAsync(address, Get<StatusSite>(), NewSampler(), Get<TimeProvider>(), cancellationToken);

    /// <summary>Pushes the metrics where the environment asks for it, with the lags among them: for a run without a page.</summary>
    public IAsyncDisposable? PushMetrics()
    {
        if (!MetricsExport.IsPushed) return null;
        _ = Get<MetricsExport>();
        return NewSampler().Start();
    }

    private StatusSampler NewSampler() => new(Get<StatusSite>(), Get<FlowHistory>(), Get<TimeProvider>());

    public ValueTask DisposeAsync() => services.DisposeAsync();
}
