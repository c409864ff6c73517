using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>One half of the pipeline, where <c>run --only</c> asks for one.</summary>
public enum PipelineHalf
{
    PostgresToKafka,
    KafkaToLake,
}

/// <summary>What <c>run</c> was asked to do.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="Only">The half to run; null: both.</param>
/// <param name="Once">Drain what is there and end, instead of running until the token is cancelled.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record RunOptions(PipelineOptions Pipeline, PipelineHalf? Only, bool Once, LogLevel LogLevel);

/// <summary>Runs both halves, or one, against the configured servers.</summary>
public static class RunVerb
{
    /// <returns>0 after a clean end, cancellation included; 1 when a half stopped by a failure.</returns>
    public static Task<int> ExecuteAsync(RunOptions options, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
