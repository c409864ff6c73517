using System.Text.Json.Nodes;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// What the host reads of the app, made by the Functions SDK itself of each build: each value here was lost data, or an app that does not
/// start, with another.
/// </summary>
public sealed class MetadataTests
{
    private static readonly string[] Builds = ["", "Ssl", "SaslPlaintextScramSha256", "SaslSslScramSha512", "SaslSslPlain"];

    public static TheoryData<string> EveryBuild => [.. Builds];

    [Theory, MemberData(nameof(EveryBuild))]
    public void the_functions_have_the_names_and_triggers_that_they_have_everywhere(string build) =>
        Assert.Equal(
            [("KafkaToLake", "kafkaTrigger"), ("PostgresToKafka", "timerTrigger"), ("Status", "httpTrigger")],
            Functions(build).Select(f => (Text(f["name"]), Text(f["bindings"]![0]!["type"]))).Order());

    [Theory, MemberData(nameof(EveryBuild))]
    public void batches_of_whole_records_with_binary_keys_are_bound_as_the_host_sends_them(string build)
    {
        var trigger = Trigger(build, "KafkaToLake");
        Assert.Equal("Many", Text(trigger["cardinality"]));
        Assert.Equal("Binary", Text(trigger["keyDataType"]));
        Assert.Equal("True", Text(trigger["properties"]!["supportsDeferredBinding"]));
        Assert.Equal(
            ("%KAFKA_BROKERS%", "%KAFKA_TOPIC%", "%KAFKA_GROUP%"),
            (Text(trigger["brokerList"]), Text(trigger["topic"]), Text(trigger["consumerGroup"])));
    }

    [Theory, MemberData(nameof(EveryBuild))]
    public void a_batch_is_tried_again_without_end_and_a_tick_never(string build)
    {
        var retry = Function(build, "KafkaToLake")["retry"]!;
        Assert.Equal(("exponentialBackoff", -1), (Text(retry["strategy"]), retry["maxRetryCount"]!.GetValue<int>()));
        Assert.Equal(("00:00:01", "00:00:30"), (Text(retry["minimumInterval"]), Text(retry["maximumInterval"])));
        Assert.Null(Function(build, "PostgresToKafka")["retry"]);
    }

    [Theory, MemberData(nameof(EveryBuild))]
    public void the_timer_needs_no_storage_account(string build)
    {
        var trigger = Trigger(build, "PostgresToKafka");
        Assert.Equal("%POSTGRES_TO_KAFKA_SCHEDULE%", Text(trigger["schedule"]));
        Assert.False(trigger["useMonitor"]!.GetValue<bool>());
        Assert.Null(trigger["runOnStartup"]);
    }

    [Theory, MemberData(nameof(EveryBuild))]
    public void the_page_has_every_path_and_only_reads(string build)
    {
        var trigger = Trigger(build, "Status");
        Assert.Equal(("Anonymous", "{*path}"), (Text(trigger["authLevel"]), Text(trigger["route"])));
        Assert.Equal(["get", "head"], trigger["methods"]!.AsArray().Select(Text));
    }

    [Theory]
    [InlineData("", null, null)]
    [InlineData("Ssl", "Ssl", null)]
    [InlineData("SaslPlaintextScramSha256", "SaslPlaintext", "ScramSha256")]
    [InlineData("SaslSslScramSha512", "SaslSsl", "ScramSha512")]
    [InlineData("SaslSslPlain", "SaslSsl", "Plain")]
    public void each_build_talks_to_the_brokers_as_it_was_told(string build, string? protocol, string? mechanism)
    {
        var trigger = Trigger(build, "KafkaToLake");
        Assert.Equal((protocol, mechanism), (trigger["protocol"]?.GetValue<string>(), trigger["authenticationMode"]?.GetValue<string>()));
        Assert.Equal(KafkaToLakeFunction.LagThreshold, trigger["lagThreshold"]?.GetValue<long>());
        var login = mechanism is null ? ((string?)null, (string?)null) : ("%KAFKA_SASL_USERNAME%", "%KAFKA_SASL_PASSWORD%");
        Assert.Equal(login, (trigger["username"]?.GetValue<string>(), trigger["password"]?.GetValue<string>()));
    }

    private static IEnumerable<JsonNode> Functions(string build) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "builds", build, "functions.metadata")))!.AsArray()!;

    private static JsonNode Function(string build, string name) => Functions(build).Single(f => Text(f["name"]) == name);

    private static JsonNode Trigger(string build, string name) => Function(build, name)["bindings"]![0]!;

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
