using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

public sealed class TopicSettingsTests
{
    private static readonly KafkaOptions Kafka = new() { Brokers = "b:9092", Topic = "t" };

    /// <summary>As a broker of 3.9 tells a topic that nobody set anything of.</summary>
    private static readonly (string, string)[] Defaults =
    [
        ("cleanup.policy", "delete"), ("retention.ms", "604800000"), ("retention.bytes", "-1"), ("min.compaction.lag.ms", "0"),
        ("max.message.bytes", "1048588"), ("min.insync.replicas", "1"), ("unclean.leader.election.enable", "false"),
    ];

    private static TopicSettings Of(int replicas, params (string Name, string Value)[] set)
    {
        var values = Defaults.ToDictionary();
        foreach (var (name, value) in set) values[name] = value;
        return new TopicSettings(values, replicas);
    }

    [Fact]
    public void a_topic_that_keeps_what_it_promised_is_not_warned_of()
    {
        var settings = Of(3, ("min.insync.replicas", "2"));
        Assert.Empty(settings.Warnings(Kafka));
        Assert.Empty(settings.Facts());
        Assert.Null(settings.RefusalOf(Kafka));
    }

    /// <summary>A fence has no key, and brokers refuse such a record there.</summary>
    [Theory, InlineData("refuse"), InlineData("warn")]
    public void frames_alone_are_not_sent_to_a_compacted_topic_whatever_is_wanted(string compacted)
    {
        var settings = Of(1, ("cleanup.policy", "compact"));
        Assert.Null(settings.RefusalOf(Kafka with { Compacted = "warn" }));
        var refusal = settings.RefusalOf(Kafka with { Compacted = compacted, Delivery = "frames" });
        Assert.Equal(FailureAction.Stop, refusal!.Action);
        if (compacted == "warn") Assert.EndsWith("or kafka.delivery to transactions.", refusal.Remedy);
    }

    [Theory]
    [InlineData("cleanup.policy", "compact", "cleanup.policy is compact: of a row's versions that wait in Kafka all but the newest")]
    [InlineData("cleanup.policy", "compact,delete", "once KafkaToLake is behind for longer than 0 s (min.compaction.lag.ms)")]
    [InlineData("retention.ms", "5400000", "what KafkaToLake has not stored within 90 min is lost")]
    [InlineData("retention.ms", "86399999", "within 24 h is lost")]
    [InlineData("retention.ms", "0", "within 0 s is lost")]
    [InlineData("retention.bytes", "1000000", "retention.bytes is 1000000")]
    [InlineData("min.insync.replicas", "1", "min.insync.replicas is 1 of 3 replicas")]
    [InlineData("unclean.leader.election.enable", "true", "unclean.leader.election.enable is true")]
    public void what_may_lose_records_is_warned_of(string name, string value, string expected) =>
        Assert.Contains(expected, Assert.Single(Of(3, ("min.insync.replicas", "2"), (name, value)).Warnings(Kafka)).Problem);

    [Theory]
    [InlineData("retention.ms", "86400000")]
    [InlineData("retention.ms", "-1")]
    [InlineData("retention.ms", "9223372036854775807")]
    [InlineData("retention.ms", "a while")]
    [InlineData("min.insync.replicas", "3")]
    public void what_loses_nothing_is_not(string name, string value) =>
        Assert.Empty(Of(3, ("min.insync.replicas", "2"), (name, value)).Warnings(Kafka));

    [Fact]
    public void a_compacted_topic_that_deletes_nothing_keeps_by_no_time() =>
        Assert.Single(Of(1, ("cleanup.policy", "compact"), ("retention.ms", "1000")).Warnings(Kafka));

    [Fact]
    public void one_copy_is_what_was_asked_for_and_only_mentioned()
    {
        var settings = Of(1, ("unclean.leader.election.enable", "true"));
        Assert.Empty(settings.Warnings(Kafka));
        Assert.Contains("one copy", Assert.Single(settings.Facts()));
        Assert.Null(settings.RefusalOf(Kafka));
    }

    [Fact]
    public void a_topic_that_takes_no_record_is_refused_with_the_command_that_mends_it()
    {
        var verdict = Of(1, ("min.insync.replicas", "2")).RefusalOf(Kafka)!;
        Assert.Equal(FailureAction.Stop, verdict.Action);
        Assert.Contains("min.insync.replicas is 2, but it has 1 replica", verdict.Problem);
        Assert.Contains(
            "kafka-configs --bootstrap-server b:9092 --alter --entity-type topics --entity-name t --add-config min.insync.replicas=1",
            verdict.Check);
    }

    [Theory, InlineData("compact"), InlineData("delete, compact")]
    public void a_compacted_topic_is_refused_unless_that_is_allowed(string policy)
    {
        var settings = Of(1, ("cleanup.policy", policy), ("min.compaction.lag.ms", "10800000"));
        var verdict = settings.RefusalOf(Kafka)!;
        Assert.Equal(FailureAction.Stop, verdict.Action);
        Assert.Contains("behind for longer than 3 h", verdict.Problem);
        Assert.Null(settings.RefusalOf(Kafka with { Compacted = "warn" }));
    }

    [Fact]
    public void settings_that_nobody_tells_are_neither_warned_of_nor_refused()
    {
        var settings = TopicSettings.Unknown("TopicAuthorizationFailed");
        Assert.Empty(settings.Warnings(Kafka));
        Assert.Null(settings.RefusalOf(Kafka));
        Assert.Equal("its settings cannot be checked (TopicAuthorizationFailed)", Assert.Single(settings.Facts()));
        Assert.Null(settings.RecordBytesMax);
    }
}
