using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Topics that were made by hand, with settings that lose what a stream puts there.</summary>
public sealed class TopicSettingsTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_compacted_topic_is_refused_and_either_remedy_helps()
    {
        await using var stream = await CreateAsync(("cleanup.policy", "compact"));
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'one')");

        var failure = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Stop, failure.Action);
        Assert.Contains("is compacted (cleanup.policy compact)", failure.Problem);
        Assert.Empty(stream.TakeNewRecords());

        await stream.RestartAsync(o => o with { Kafka = o.Kafka with { Compacted = "warn" } });
        await stream.PollAndStoreAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("cleanup.policy is compact"));
        await stream.RestartAsync(o => o with { Kafka = o.Kafka with { Compacted = "refuse" } });
        await kafka.FollowAsync(stream.Options.Kafka.Topic, failure.Remedy);
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_topic_that_would_take_no_record_is_refused_until_it_does()
    {
        await using var stream = await CreateAsync(("min.insync.replicas", "2"));
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'one')");

        var failure = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Contains("takes no record", failure.Problem);

        // The server ends a session a moment after it was closed.
        await stream.UntilNobodyPollsAsync();
        await kafka.FollowAsync(stream.Options.Kafka.Topic, failure.Remedy);
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_short_retention_is_warned_of_once_by_both_halves_together()
    {
        await using var stream = await CreateAsync(("retention.ms", "3600000"), ("retention.bytes", "1000000000"));
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'one')");
        await stream.PollAndStoreAsync();
        await stream.EndPollersSessionsAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (2, 'two')");
        await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);
        await stream.PollAndStoreAsync();
        Assert.Equal(2, stream.Log.Lines.Count(l => l.Id == 2005));
        Assert.Contains(stream.Log.Warnings, w => w.Contains("what KafkaToLake has not stored within 60 min is lost"));
        Assert.Contains(stream.Log.Warnings, w => w.Contains("retention.bytes is 1000000000"));
    }

    [Fact]
    public async Task a_topic_of_our_own_is_not_warned_of()
    {
        kafka.RequireReal("the embedded one tells no settings");
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.PollAsync();
        Assert.DoesNotContain(stream.Log.Lines, l => l.Id == 2005);
        Assert.Contains("one copy", Assert.Single(stream.Log.Lines, l => l.Id == 2006).Message);
    }

    [Fact]
    public async Task brokers_that_tell_no_settings_are_one_line_and_no_failure()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Kafka = o.Kafka with { BrokerTellsTopicIds = false } });
        if (kafka.IsReal) await new TopicAdmin(stream.Options with { Kafka = stream.Options.Kafka with { BrokerTellsTopicIds = true } })
            .EnsureAsync(Token);
        await stream.PollAsync();
        Assert.Equal(
            (LogLevel.Information, true),
            Assert.Single(stream.Log.Lines, l => l.Id == 2006) switch { var l => (l.Level, l.Message.Contains("cannot be checked")) });
    }

    private async Task<TestStream> CreateAsync(params (string Name, string Value)[] settings)
    {
        kafka.RequireReal("the embedded one has no settings");
        var stream = await TestStream.CreateAsync(postgres, kafka);
        await kafka.CreateTopicAsync(stream.Options.Kafka.Topic, settings);
        return stream;
    }
}
