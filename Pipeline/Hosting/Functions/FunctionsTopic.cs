using Confluent.Kafka;
using OrdersStream.Kafka;

namespace OrdersStream.Triggers;

/// <summary>
/// Makes the topic before the platform subscribes to it: a consumer whose topic is absent looks again only at its next refresh of
/// metadata, minutes later.
/// </summary>
public sealed class TriggeredTopic(TopicAdmin topic, TimeProvider time)
{
    /// <summary>The platform gives up on a worker that is slow to start.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>True when the topic is there. Where no broker answers, the first poll makes the topic, and tells what is wrong.</summary>
    public async Task<bool> PrepareAsync()
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            await topic.EnsureAsync(patience.Token);
            return true;
        }
        catch (Exception e) when (e is KafkaException or OperationCanceledException)
        {
            return false;
        }
    }
}
