using System.Collections.Immutable;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// The topic's own settings, and what each of them costs a stream: what was promised of a topic (records stay until they are stored, what
/// is acknowledged is kept) compared with what is there. A topic made by hand has what its makers' other topics have.
/// </summary>
/// <param name="Values">As the brokers tell them, those of their defaults too; a setting that a broker does not tell is not judged.</param>
/// <param name="Replicas">Copies of the partition that has the fewest.</param>
/// <param name="WhyUnknown">Why they cannot be read; null: they were.</param>
public sealed record TopicSettings(IReadOnlyDictionary<string, string> Values, int Replicas, string? WhyUnknown = null)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ShortRetention = TimeSpan.FromDays(1);

    /// <summary>Largest batch of records that the topic takes, bytes, as it is sent; null: unknown.</summary>
    public long? RecordBytesMax => Number("max.message.bytes");

    private bool IsCompacted => Words("cleanup.policy").Contains("compact");

    /// <summary>What the other brokers do with the last copy of a record.</summary>
    private bool HasCopies => Replicas > 1;

    public static TopicSettings Unknown(string why) => new(ImmutableDictionary<string, string>.Empty, 0, why);

    /// <summary>
    /// Asks the brokers. A user who may not ask, or a broker that does not answer, is no failure: nothing else depends on it.
    /// </summary>
    /// <returns>Null: the broker that was asked has not heard of the topic yet.</returns>
    internal static async Task<TopicSettings?> ReadAsync(
        IAdminClient admin, string topic, int replicas, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await KafkaClients.AnswerAsync(
                admin.DescribeConfigsAsync(
                    [new ConfigResource { Type = ResourceType.Topic, Name = topic }],
                    new DescribeConfigsOptions { RequestTimeout = AnswerTimeout }),
                cancellationToken);
            var values = answer[0].Entries.Values.Where(e => e.Value is not null).ToImmutableDictionary(e => e.Name, e => e.Value);
            return new TopicSettings(values, replicas);
        }
        catch (DescribeConfigsException e)
        {
            var code = e.Results[0].Error.Code;
            return code == ErrorCode.UnknownTopicOrPart ? null : Unknown($"{code}");
        }
        catch (KafkaException e)
        {
            return Unknown($"{e.Error.Code}");
        }
    }

    /// <summary>Why nothing is to be published to such a topic; null: it may be.</summary>
    public FailureVerdict? RefusalOf(KafkaOptions kafka)
    {
        if (IsCompacted && kafka.Compacted == "refuse") return new(FailureAction.Stop,
            $"Topic '{kafka.Topic}' is compacted (cleanup.policy {Values["cleanup.policy"]}): {CostOfCompaction}.",
            $"Set its cleanup.policy to delete ({Alter(kafka, "cleanup.policy=delete")}); "
            + "or set kafka.compacted to warn, where the newest version of each row is enough.");
        if (IsCompacted && !kafka.IsTransactional) return new(FailureAction.Stop,
            $"Topic '{kafka.Topic}' is compacted (cleanup.policy {Values["cleanup.policy"]}), and takes no record without a key: with "
            + "kafka.delivery frames each session begins with one.",
            $"Set its cleanup.policy to delete ({Alter(kafka, "cleanup.policy=delete")}), or kafka.delivery to transactions.");
        if (Number("min.insync.replicas") is { } least && least > Replicas) return new(FailureAction.Stop,
            $"Topic '{kafka.Topic}' takes no record: its min.insync.replicas is {least}, but it has {Replicas} "
            + $"{(HasCopies ? "replicas" : "replica")} of a partition.",
            $"Lower the one ({Alter(kafka, $"min.insync.replicas={Replicas}")}), or give it more replicas "
            + "(kafka-reassign-partitions).");
        return null;
    }

    /// <summary>What is odd about it, and what that costs.</summary>
    public IEnumerable<Advice> Warnings(KafkaOptions kafka)
    {
        if (IsCompacted)
            yield return new("topic settings",
                $"cleanup.policy is {Values["cleanup.policy"]}: {CostOfCompaction}", Alter(kafka, "cleanup.policy=delete"));
        if (IsDeletedByTime(out var kept))
            yield return new("topic settings",
                $"retention.ms is {Values["retention.ms"]}: what KafkaToLake has not stored within {Text(kept)} is lost",
                $"raise it to outlast an outage, as to a week: {Alter(kafka, "retention.ms=604800000")}");
        if (Number("retention.bytes") is >= 0 and var bytes)
            yield return new("topic settings",
                $"retention.bytes is {bytes}: a partition that is larger loses its oldest records, stored or not",
                Alter(kafka, "retention.bytes=-1"));
        if (!HasCopies) yield break;
        if (Number("min.insync.replicas") is 1)
            yield return new("topic settings",
                $"min.insync.replicas is 1 of {Replicas} replicas: a record that was acknowledged may be lost with one broker",
                Alter(kafka, "min.insync.replicas=2"));
        if (Words("unclean.leader.election.enable").Contains("true"))
            yield return new("topic settings",
                "unclean.leader.election.enable is true: a broker that lags may become the leader, and what it lacks is lost, "
                + "acknowledged or not",
                Alter(kafka, "unclean.leader.election.enable=false"));
    }

    /// <summary>What is as it was asked for, and good to know.</summary>
    public IEnumerable<string> Facts()
    {
        if (WhyUnknown is not null) yield return $"its settings cannot be checked ({WhyUnknown})";
        else if (!HasCopies) yield return "each partition is kept in one copy, and is lost with its broker's disk";
    }

    private string CostOfCompaction =>
        "of a row's versions that wait in Kafka all but the newest are thrown away, "
        + $"once KafkaToLake is behind for longer than {Text(TimeSpan.FromMilliseconds(Number("min.compaction.lag.ms") ?? 0))} "
        + "(min.compaction.lag.ms), and the lake never gets them";

    private bool IsDeletedByTime(out TimeSpan kept)
    {
        // No more than a TimeSpan holds: anything of years is long enough.
        var ms = Number("retention.ms") ?? -1;
        kept = TimeSpan.FromMilliseconds(Math.Clamp(ms, 0, ShortRetention.TotalMilliseconds));
        var policy = Words("cleanup.policy");
        return ms >= 0 && kept < ShortRetention && (policy.Contains("delete") || policy.Count == 0);
    }

    private long? Number(string name) =>
        Values.TryGetValue(name, out var text) && long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number)
            ? number : null;

    private IReadOnlyList<string> Words(string name) =>
        Values.GetValueOrDefault(name, "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The command that changes a setting of the topic.</summary>
    public static string Alter(KafkaOptions kafka, string setting) =>
        $"kafka-configs --bootstrap-server {kafka.Brokers} --alter --entity-type topics --entity-name {kafka.Topic} --add-config {setting}";

    private static string Text(TimeSpan time) => time switch
    {
        { TotalHours: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} h"),
        { TotalMinutes: >= 2 } => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes:0.#} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.#} s"),
    };
}
