using OrdersStream.Diagnostics;
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

    [Fact]
    public async Task a_worker_starts_where_the_brokers_refuse_the_topic_and_its_first_poll_says_why()
    {
        kafka.RequireReal("a refused replication factor");
        await using var app = await AppStream.CreateAsync(
            postgres, kafka, 10, o => o with { Kafka = o.Kafka with { ReplicationFactor = 5 } });
        var worker = app.NewWorker();

        Assert.False(await worker.PrepareTopicAsync());

        var refused = await Assert.ThrowsAsync<PipelineException>(() => worker.TickAsync(TestContext.Current.CancellationToken));
        Assert.Contains("replication", refused.Message, StringComparison.OrdinalIgnoreCase);
    }

    private static async Task<int?> PartitionsAsync(AppStream app) =>
        (await new TopicAdmin(app.Options).DescribeClusterAsync(Waiting.Patience, TestContext.Current.CancellationToken)).Partitions;
}
