using System.Text.Json;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Before the platform subscribes.</summary>
public sealed class TopicTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int WorksAgain = 9003, Stopped = 9004;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

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
    public async Task a_worker_starts_where_the_brokers_refuse_the_topic_says_why_once_and_tries_again()
    {
        kafka.RequireReal("a refused replication factor");
        await using var app = await AppStream.CreateAsync(
            postgres, kafka, 10, o => o with { Kafka = o.Kafka with { ReplicationFactor = 5 } });
        var worker = app.NewWorker();

        Assert.False(await worker.PrepareTopicAsync());

        var refused = await Assert.ThrowsAsync<PipelineException>(() => worker.TickAsync(Cancellation));
        Assert.Contains("replication", refused.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("replication", Assert.Single(Lines(Stopped)), StringComparison.OrdinalIgnoreCase);
        var page = await CaptureOnPageAsync(worker);
        Assert.Equal("stopped", page.GetProperty("state").GetString());
        Assert.Contains("kafka.replication_factor", page.GetProperty("says").GetString(), StringComparison.Ordinal);

        await Assert.ThrowsAsync<PipelineException>(() => worker.TickAsync(Cancellation));
        Assert.Single(Lines(Stopped));
        Assert.Empty(Lines(WorksAgain));

        // By hand, as the remedy says.
        var possible = app.Options with { Kafka = app.Options.Kafka with { ReplicationFactor = 1 } };
        await new TopicAdmin(possible).EnsureAsync(Cancellation);
        await worker.TickAsync(Cancellation);

        Assert.Contains(nameof(PostgresToKafka), Assert.Single(Lines(WorksAgain)), StringComparison.Ordinal);
        Assert.Equal("running", (await CaptureOnPageAsync(worker)).GetProperty("state").GetString());
        Assert.Equal(10, app.Records().Length);

        IEnumerable<string> Lines(int id) => app.Stream.Log.Lines.Where(l => l.Id == id).Select(l => l.Message);
    }

    private static async Task<JsonElement> CaptureOnPageAsync(AppWorker worker)
    {
        var answer = (PageAnswer)await worker.Create<StatusFunction>().RunAsync(new PageRequest("GET", "/api/status"), Cancellation);
        using var document = JsonDocument.Parse(answer.Text);
        var halves = document.RootElement.GetProperty("halves").EnumerateArray();
        return halves.Single(half => half.GetProperty("name").GetString() == nameof(PostgresToKafka)).Clone();
    }

    private static async Task<int?> PartitionsAsync(AppStream app) =>
        (await new TopicAdmin(app.Options).DescribeClusterAsync(Waiting.Patience, Cancellation)).Partitions;
}
