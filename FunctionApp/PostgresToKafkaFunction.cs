using Microsoft.Azure.Functions.Worker;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>The capturing half: one tick of the timer, one poll.</summary>
public sealed class PostgresToKafkaFunction(StreamFunctions halves)
{
    [Function("PostgresToKafka")]
    public Task RunAsync(
        [TimerTrigger("%POSTGRES_TO_KAFKA_SCHEDULE%", UseMonitor = false)] TimerInfo timer,
        CancellationToken cancellationToken) => halves.PollAsync(cancellationToken);
}
