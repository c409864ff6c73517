using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Hosting;

/// <summary>A loop that does not come round is seen, whatever its heart, which beats by a clock of its own, says.</summary>
public sealed class HangingTests : IAsyncLifetime
{
    private readonly TestTime time = new();
    private readonly TempFolder folder = new();
    private readonly PipelineStream stream;

    public HangingTests()
    {
        var state = new StreamingOptions { CheckpointLocation = folder["c"], LastProcessedTimestampLocation = folder["l"] };
        var options = new PipelineOptions { Kafka = new() { Topic = "orders" }, Streaming = state };
        var process = new ProcessStatus("LocalHost", time.GetUtcNow(), ["KafkaToLake"]);
        stream = new PipelineStream(options, new ProcessContext(time, CrashPoints.OfProcess, _ => new TestLog(), process));
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        folder.Dispose();
    }

    [Theory]
    [InlineData("PostgresToKafka")]
    [InlineData("KafkaToLake")]
    public void a_loop_that_does_not_come_round_hangs_from_its_first_turn_on(string name)
    {
        using var half = stream.Begin(name);
        var retries = stream.NewRetries(half);
        time.Advance(stream.TurnMax(name));
        Assert.Empty(stream.Hanging());
        time.Advance(TimeSpan.FromSeconds(1));
        var seconds = stream.TurnMax(name).TotalSeconds + 1;
        Assert.Equal($"{name} has not come round for {seconds:0} s.", Assert.Single(stream.Hanging()));
        retries.Succeeded();
        Assert.Empty(stream.Hanging());
    }

    /// <summary>An outage is no reason to be started again: what is away then stays away.</summary>
    [Fact]
    public void one_that_has_nothing_to_do_or_tries_again_does_not_hang()
    {
        using var half = stream.Begin("KafkaToLake");
        var retries = stream.NewRetries(half);
        time.Advance(stream.TurnMax("KafkaToLake") * 2);
        retries.StopIfTooLong();
        Assert.Empty(stream.Hanging());
        time.Advance(stream.TurnMax("KafkaToLake") * 2);
        retries.Note(new TimeoutException());
        Assert.Empty(stream.Hanging());
    }

    /// <summary>As before its first turn, where all of a large lake is listed, and footers are read where the log was lost.</summary>
    [Fact]
    public void one_that_looks_at_many_files_gets_on_and_capture_does_not_by_it()
    {
        Directory.CreateDirectory(folder["lake"]);
        File.WriteAllText(Path.Combine(folder["lake"], "file"), "");
        using var store = stream.Begin("KafkaToLake");
        using var capture = stream.Begin("PostgresToKafka");
        (_, _) = (stream.NewRetries(store), stream.NewRetries(capture));
        var lake = stream.AroundStore.OpenFiles(folder["lake"]);
        for (var look = 0; look < 30; look++)
        {
            time.Advance(stream.TurnMax("KafkaToLake") * 0.9);
            Assert.Single(lake.ListAll(""));
            time.Advance(stream.TurnMax("KafkaToLake") * 0.9);
            lake.OpenRead("file").Dispose();
        }
        time.Advance(stream.TurnMax("KafkaToLake") * 0.9);
        Assert.Equal(0, lake.RemoveLeftovers(time.GetUtcNow()));
        time.Advance(stream.TurnMax("KafkaToLake") * 0.9);
        Assert.StartsWith("PostgresToKafka ", Assert.Single(stream.Hanging()), StringComparison.Ordinal);
    }

    [Fact]
    public void nor_one_that_a_platform_calls_whenever_it_likes()
    {
        using var half = stream.Begin("KafkaToLake");
        _ = stream.NewOutage(half);
        time.Advance(stream.TurnMax("KafkaToLake") * 10);
        Assert.Empty(stream.Hanging());
    }

    /// <summary>A turn may take the pause before it, the end of the longest page, and a server's time.</summary>
    [Fact]
    public void a_turn_has_time_for_the_longest_page_and_pause()
    {
        var (kafka, state) = (stream.Options.Kafka, stream.Options.Streaming);
        var (capture, store) = (stream.TurnMax("PostgresToKafka"), stream.TurnMax("KafkaToLake"));
        Assert.True(store > TimeSpan.FromSeconds(kafka.TransactionTimeout + state.BatchInterval) + TimeSpan.FromMinutes(10));
        Assert.True(capture > store);
        var document = File.ReadAllText(Path.Combine(ConfigurationFile.Repository, "docs", "deployment.md"));
        Assert.Contains(
            $"With the shipped settings capture may take {(int)capture.TotalMinutes} minutes for that "
            + $"and store {(int)store.TotalMinutes}: ",
            document);
    }
}
