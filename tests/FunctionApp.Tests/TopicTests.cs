using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Before the platform subscribes.</summary>
public sealed class TopicTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task the_topic_is_there_before_the_first_poll()
    {
        kafka.RequireReal("a topic that is absent");
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        Assert.Null(await PartitionsAsync(app));

        Assert.True(await app.NewWorker().PrepareTopicAsync());

        Assert.Equal(app.Options.Kafka.Partitions, await PartitionsAsync(app));
    }

    private static async Task<int?> PartitionsAsync(AppStream app) =>
        (await new TopicAdmin(app.Options).DescribeClusterAsync(Waiting.Patience, TestContext.Current.CancellationToken)).Partitions;
}
