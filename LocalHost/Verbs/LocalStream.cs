using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>The stream of a configuration, in this process.</summary>
internal static class LocalStream
{
    /// <summary>Both halves, as a status names them.</summary>
    public static readonly ImmutableArray<string> BothHalves = [nameof(PostgresToKafka), nameof(KafkaToLake)];

    /// <param name="options">The configuration in force.</param>
    /// <param name="log">Where lines go.</param>
    /// <param name="halves">What this process runs, for its status.</param>
    public static PipelineStream Open(PipelineOptions options, LineLogger log, ImmutableArray<string> halves)
    {
        var time = TimeProvider.System;
        var status = new ProcessStatus(nameof(LocalHost), time.GetUtcNow(), halves);
        var process = new ProcessContext(time, CrashPoints.OfProcess, log.CreateLogger, status);
        return new PipelineStream(options, process);
    }
}
