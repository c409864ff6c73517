using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// Looks at a stream's topic for both halves, when a session opens and now and then while one runs, and says what is odd about it once, and
/// again when it is another. Only the publishing half refuses a topic: records that are not published wait in the table; a half that would
/// not store what is in the topic already would lose more of it.
/// </summary>
public sealed class TopicWatch(PipelineOptions options, TopicAdmin admin, TimeProvider time, ILogger logger)
{
    /// <summary>How long a look counts.</summary>
    public static readonly TimeSpan LooksEvery = TimeSpan.FromMinutes(5);

    private readonly Lock gate = new();
    private long lookedAt;
    private string? announced;
    private volatile TopicSettings? latest;

    /// <summary>For who is going to publish.</summary>
    /// <param name="topic">As it was described just now.</param>
    /// <exception cref="PipelineException">Nothing is to be published to such a topic.</exception>
    public void OpenedToPublish(TopicDescription topic)
    {
        if (topic.Settings is not null) latest = topic.Settings;
        Refuse();
        Opened(topic);
    }

    /// <summary>For who is going to store.</summary>
    public void Opened(TopicDescription topic)
    {
        Interlocked.Exchange(ref lookedAt, time.GetTimestamp());
        if (topic.Settings is null) return;
        latest = topic.Settings;
        Announce(topic.Settings);
    }

    /// <summary>To be called as often as one likes.</summary>
    /// <exception cref="PipelineException">Nothing is to be published to such a topic any more.</exception>
    public async Task LookAgainToPublishAsync(CancellationToken cancellationToken)
    {
        await LookAgainAsync(cancellationToken);
        Refuse();
    }

    /// <summary>
    /// To be called as often as one likes, too. What cannot be asked now is asked the next time: others notice a broker that is away.
    /// </summary>
    public async Task LookAgainAsync(CancellationToken cancellationToken)
    {
        var last = Interlocked.Read(ref lookedAt);
        if (time.GetElapsedTime(last) < LooksEvery) return;
        if (Interlocked.CompareExchange(ref lookedAt, time.GetTimestamp(), last) != last) return;
        try
        {
            if (await admin.FindAsync(cancellationToken) is { } topic) Opened(topic);
        }
        catch (KafkaException)
        {
        }
    }

    private void Refuse()
    {
        if (latest?.RefusalOf(options.Kafka) is { } verdict) throw new PipelineException(verdict);
    }

    private void Announce(TopicSettings settings)
    {
        var (warnings, facts) = (settings.Warnings(options.Kafka).Select(w => w.ToString()).ToList(), settings.Facts().ToList());
        var announcement = string.Join('\n', [.. warnings, .. facts]);
        lock (gate)
        {
            if (announced == announcement) return;
            announced = announcement;
        }
        foreach (var warning in warnings) logger.TopicWarning(options.Kafka.Topic, warning);
        foreach (var fact in facts) logger.TopicFact(options.Kafka.Topic, fact);
    }
}
