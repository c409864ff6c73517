using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

public sealed class TopicWatchTests
{
    private static readonly PipelineOptions Options = new() { Kafka = new() { Brokers = "127.0.0.1:1", Topic = "t" } };

    private readonly TestLog log = new();
    private readonly TopicWatch watch;

    public TopicWatchTests() => watch = new(Options, new TopicAdmin(Options), new TestTime(), log);

    [Fact]
    public void what_is_odd_is_said_once_for_both_halves_and_again_when_it_is_another()
    {
        watch.OpenedToPublish(With("retention.ms", "1000"));
        watch.Opened(With("retention.ms", "1000"));
        watch.OpenedToPublish(With("retention.ms", "1000"));
        Assert.Single(log.Lines, l => l is { Level: LogLevel.Warning, Id: 2005 } && l.Text.StartsWith("topic t: retention.ms is 1000"));

        watch.Opened(With("retention.ms", "2000"));
        Assert.Equal(2, log.Lines.Count(l => l.Id == 2005));
    }

    [Fact]
    public void only_who_publishes_refuses_a_topic()
    {
        watch.Opened(With("cleanup.policy", "compact"));
        Assert.Single(log.Lines, l => l.Id == 2005);
        var refusal = Assert.Throws<PipelineException>(() => watch.OpenedToPublish(With("cleanup.policy", "compact")));
        Assert.Equal(FailureAction.Stop, refusal.Action);
    }

    [Fact]
    public async Task a_topic_that_the_other_half_found_changed_is_refused_at_the_next_poll()
    {
        watch.OpenedToPublish(With("cleanup.policy", "delete"));
        await watch.LookAgainToPublishAsync(TestContext.Current.CancellationToken);
        watch.Opened(With("cleanup.policy", "compact"));
        await Assert.ThrowsAsync<PipelineException>(() => watch.LookAgainToPublishAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void settings_that_cannot_be_read_are_one_line_and_no_warning()
    {
        watch.OpenedToPublish(new(new("", "t", null), 1, TopicSettings.Unknown("TopicAuthorizationFailed")));
        watch.OpenedToPublish(new(new("", "t", null), 1, TopicSettings.Unknown("TopicAuthorizationFailed")));
        Assert.Equal((LogLevel.Information, 2006), Assert.Single(log.Lines) switch { var l => (l.Level, l.Id) });
    }

    private static TopicDescription With(string name, string value) =>
        new(new("", "t", null), 1, new TopicSettings(new Dictionary<string, string> { [name] = value }, 2));
}
