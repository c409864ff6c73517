using System.Text.Json.Nodes;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Store;
using OrdersStream.TestKit;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>host.json: docs/functions.md says why each value is what it is.</summary>
public sealed class HostFileTests
{
    private static readonly JsonNode Host = ShippedFiles.Json("FunctionApp/host.json");
    private static readonly JsonObject Kafka = Host["extensions"]!["kafka"]!.AsObject();

    [Fact]
    public void a_batch_that_failed_is_never_committed()
    {
        Assert.False(Kafka["commitOnFailure"]!.GetValue<bool>());
        Assert.Equal(-1, Kafka["maxRetries"]!.GetValue<int>());
        Assert.Equal("earliest", Kafka["autoOffsetReset"]!.GetValue<string>());
    }

    [Fact]
    public void batches_are_large_and_the_memory_that_they_take_is_bounded()
    {
        Assert.InRange(Kafka["maxBatchSize"]!.GetValue<int>(), 1_000, 50_000);
        Assert.Equal(1, Kafka["executorChannelCapacity"]!.GetValue<int>());
        Assert.InRange(Kafka["queuedMaxMessagesKbytes"]!.GetValue<int>(), 1_024, 65_536);
        Assert.InRange(Kafka["fetchMaxBytes"]!.GetValue<int>(), Kafka["maxPartitionFetchBytes"]!.GetValue<int>(), 64 * 1024 * 1024);
    }

    [Fact]
    public void what_a_tick_published_waits_no_longer_than_until_the_next_one()
    {
        var shipped = ConfigurationLoader.Load(Repository.PathOf("configs/orders_stream.yml"), [], new Dictionary<string, string>(), "r1");
        // A second is the least that the extension takes.
        Assert.Equal(1, Kafka["subscriberIntervalInSeconds"]!.GetValue<int>());
        Assert.True(shipped.Streaming.BatchInterval > 1);
    }

    [Fact]
    public void a_timer_run_ends_before_the_host_ends_it()
    {
        var longest = TimeSpan.FromSeconds(
            SettingsReference.Get("streaming.batch_interval").Max + SettingsReference.Get("kafka.transaction_timeout").Max);
        Assert.True(
            TimeSpan.Parse(Host["functionTimeout"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture) > longest);
    }

    [Fact]
    public void our_lines_are_shown_and_the_hosts_noise_is_not()
    {
        var levels = Host["logging"]!["logLevel"]!.AsObject();
        Assert.Equal("Warning", levels["default"]!.GetValue<string>());
        // The host says of each failed run the same in two categories; this one also carries what monitoring counts.
        Assert.Equal("None", levels["Function"]!.GetValue<string>());
        Assert.Null(levels["Host.Results"]);
        // What a worker prints before it ends, as it does at a wrong setting, is of this category and level.
        Assert.Equal("Information", levels["Host.Function.Console"]!.GetValue<string>());
        foreach (var name in new[] { nameof(PostgresToKafka), nameof(KafkaToLake) })
            Assert.Equal("Information", levels[$"Function.{name}.User"]!.GetValue<string>());
    }

    [Fact]
    public void brokers_that_are_away_are_not_asked_many_times_a_second()
    {
        var (least, most) = (Kafka["reconnectBackoffMs"]!.GetValue<int>(), Kafka["reconnectBackoffMaxMs"]!.GetValue<int>());
        Assert.InRange(least, 1_000, most);
        Assert.InRange(most, least, 10_000);
    }

    [Fact]
    public void the_page_is_at_the_root() => Assert.Equal("", Host["extensions"]!["http"]!["routePrefix"]!.GetValue<string>());

    [Fact]
    public void a_precompiled_app_names_no_extension_bundle() => Assert.Null(Host["extensionBundle"]);

    [Fact]
    public void the_document_gives_the_reason_of_every_value()
    {
        var document = File.ReadAllText(Repository.PathOf("docs/functions.md"));
        foreach (var (name, value) in Kafka) Assert.Contains($"| `{name}` | {value!.ToJsonString().Trim('"')} |", document);
        Assert.Contains($"| `functionTimeout` | {Host["functionTimeout"]} |", document);
    }
}
