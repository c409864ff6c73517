using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// Which topic a state file belongs to: the cluster's id, the topic's name and, where the brokers tell one
/// (from 2.8 on), the topic's own id, which changes when a topic is deleted and made anew.
/// </summary>
public sealed record TopicIdentity(string ClusterId, string Topic, string? TopicId)
{
    private bool IsNameAlone { get; init; }

    /// <summary>A topic of which nobody has told more than its name: any of that name matches it.</summary>
    public static TopicIdentity ByName(string topic) => new("", topic, null) { IsNameAlone = true };

    /// <summary>The same topic as far as both sides know: ids are compared only where both have one.</summary>
    public bool Matches(TopicIdentity other) =>
        Topic == other.Topic
        && (IsNameAlone || other.IsNameAlone
            || (TopicId is not null && other.TopicId is not null ? TopicId == other.TopicId : ClusterId == other.ClusterId));

    /// <summary>
    /// What to do where this is not the topic that a state file knows: a broker that tells no id just now, of a topic that
    /// has one, is only not ready yet.
    /// </summary>
    public FailureAction ActionWhereOther(TopicIdentity known) =>
        TopicId is null && known.TopicId is not null ? FailureAction.Retry : FailureAction.Stop;
}

/// <summary>What both halves need to know of the topic before they start.</summary>
/// <param name="Identity">Cluster, name and id.</param>
/// <param name="Partitions">Number of partitions.</param>
/// <param name="Settings">What it is set to.</param>
public sealed record TopicDescription(TopicIdentity Identity, int Partitions, TopicSettings? Settings = null);
