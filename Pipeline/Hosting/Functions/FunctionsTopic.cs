using Confluent.Kafka;
using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// Makes the topic before the platform subscribes to it: a consumer whose topic is absent looks again only at its next refresh of
/// metadata, minutes later.
/// </summary>
public sealed class FunctionsTopic(PipelineStream stream)
{
    /// <summary>The platform gives up on a worker that is slow to start.</summary>
    private static readonly TimeSpan PrepareTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// True when the topic is there. Where no broker answers, or refuses to make it, the worker starts all the same: the first poll tries
    /// again, and says what is wrong, which the page shows.
    /// </summary>
    public async Task<bool> PrepareAsync()
    {
        using var timeout = new CancellationTokenSource(PrepareTimeout, stream.Process.Time);
        try
        {
            await stream.EnsureTopicAsync(timeout.Token);
            return true;
        }
        catch (Exception e) when (e is KafkaException or PipelineException or OperationCanceledException)
        {
            return false;
        }
    }
}
