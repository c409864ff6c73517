using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Triggers;

namespace OrdersStream.UnitTests.Triggers;

public sealed class TriggeredTopicTests
{
    [Fact]
    public async Task a_worker_starts_where_no_broker_answers()
    {
        // Nothing listens on port 1.
        var options = new PipelineOptions { Kafka = new() { Brokers = "127.0.0.1:1", Topic = "t" } };
        var prepared = new TriggeredTopic(new TopicAdmin(options), TimeProvider.System).PrepareAsync();
        Assert.False(await prepared.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
    }
}
