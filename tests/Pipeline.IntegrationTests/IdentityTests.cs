using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Invariant 6: state belongs to one source and one topic; another one stops with a remedy and overwrites nothing.</summary>
public sealed class IdentityTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task another_table_under_the_same_name_stops_capture()
    {
        await using var stream = await CapturedAsync();
        var before = stream.StateFiles();
        await stream.ExecuteAsync("DROP TABLE items; " + TestStream.Items + "INSERT INTO items (id) VALUES (1)");
        await stream.RestartAsync();

        await CaptureShouldStopAsync(stream, "oid");
        Assert.Equal(before, stream.StateFiles());
    }

    [Fact]
    public async Task another_table_under_the_same_name_stops_a_running_capture()
    {
        await using var stream = await CapturedAsync();
        await stream.ExecuteAsync("DROP TABLE items; " + TestStream.Items + "INSERT INTO items (id) VALUES (1)");

        await CaptureShouldStopAsync(stream, "oid");
    }

    [Fact]
    public async Task another_database_stops_capture()
    {
        await using var stream = await CapturedAsync();
        await using var other = await TestStream.CreateAsync(postgres, kafka);
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { Db = other.Database.Name } });

        await CaptureShouldStopAsync(stream, other.Database.Name);
    }

    [Fact]
    public async Task a_table_that_is_gone_stops_capture()
    {
        await using var stream = await CapturedAsync();
        await stream.ExecuteAsync("DROP TABLE items");

        await CaptureShouldStopAsync(stream, "items");
    }

    [Fact]
    public async Task a_topic_made_anew_stops_both_halves()
    {
        kafka.RequireReal("topics have an id of their own");
        await using var stream = await CapturedAsync();
        await stream.StoreAsync();
        var before = stream.StateFiles();
        await kafka.RecreateTopicAsync(stream.Options.Kafka.Topic);
        await stream.RestartAsync();

        await CaptureShouldStopAsync(stream, "topic");
        var stop = await Assert.ThrowsAsync<PipelineException>(() => stream.Instance.StoreAsync(
            [new Kafka.StreamRecord(0, 0, "1"u8.ToArray(), "{}"u8.ToArray())]));
        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.NotEmpty(stop.Remedy);
        Assert.Equal(before, stream.StateFiles());
    }

    [Fact]
    public async Task a_second_poller_stands_by_until_the_first_is_gone()
    {
        await using var stream = await CapturedAsync();
        var second = stream.NewInstance();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1000)");

        Assert.Equal(PollOutcome.StandingBy, (await second.PollAsync()).Outcome);
        Assert.Equal(PollOutcome.StandingBy, (await second.PollAsync()).Outcome);
        await stream.Instance.DisposeAsync();
        // The server lets go of the lock when it notices that the session is closed, a moment after the client closed it.
        await stream.UntilNobodyPollsAsync();
        var poll = await second.PollAsync();

        Assert.Equal((PollOutcome.Published, 1L), (poll.Outcome, poll.Rows));
        stream.Dump().ShouldHoldEachRowVersionOnce();
        Assert.Single(stream.Log.Lines, l => l.Message.Contains("stand", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task a_watermark_file_that_cannot_be_read_stops_capture_and_is_not_overwritten()
    {
        await using var stream = await CapturedAsync();
        var file = Directory.GetFiles(stream.Options.Streaming.LastProcessedTimestampLocation).Single();
        await File.WriteAllTextAsync(file, "{", TestContext.Current.CancellationToken);
        await stream.RestartAsync();

        await CaptureShouldStopAsync(stream, file);
        Assert.Equal("{", await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task a_lost_watermark_file_is_made_up_for_by_the_topic()
    {
        await using var stream = await CapturedAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1000)");
        await stream.PollAsync();
        Directory.Delete(stream.Options.Streaming.LastProcessedTimestampLocation, recursive: true);
        await stream.RestartAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1001)");
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.LakeShouldEqualTableAsync();
    }

    private async Task<TestStream> CapturedAsync()
    {
        var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 10)");
        Assert.Equal(10, (await stream.PollAsync()).Rows);
        return stream;
    }

    private static async Task CaptureShouldStopAsync(TestStream stream, string named)
    {
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains(named, stop.Message, StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(stop.Remedy);
    }
}
