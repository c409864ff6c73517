using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>
/// What an open transaction hides of one partition: readers of committed records see nothing behind its first record, whatever was
/// committed there since, and the end that they see is not the end (invariants 10 and 11).
/// </summary>
/// <param name="Partition">Its number.</param>
/// <param name="Stable">The last stable offset: where the transaction's first record is.</param>
/// <param name="End">The end of all that was sent.</param>
public sealed record HiddenEnd(int Partition, long Stable, long End)
{
    /// <summary>Offsets of which nobody can tell yet whether they count.</summary>
    public long Offsets => End - Stable;

    /// <summary>Those of the partitions in which anything is hidden.</summary>
    /// <param name="kept">What readers of committed records see, by partition.</param>
    /// <param name="ends">The end of all that was sent, by partition.</param>
    public static IReadOnlyList<HiddenEnd> Between(IReadOnlyList<(long Low, long High)> kept, IReadOnlyList<long> ends) =>
        [.. kept.Select((k, p) => new HiddenEnd(p, k.High, ends[p])).Where(h => h.Offsets > 0)];

    public FailureVerdict ToVerdict(string topic) => new(FailureAction.Retry,
        $"A transaction is open in topic '{topic}', partition {Partition}, since offset {Stable}: of the {Offsets} offsets behind it "
        + "nobody can tell yet whether they count, and readers of committed records do not get them.",
        RemedyIn(topic))
    {
        Kind = "hidden end",
    };

    public string RemedyIn(string topic) =>
        "It goes on by itself once that transaction ends. One whose end mark the brokers lost never does. "
        + "To find its producer, or end it: kafka-transactions.sh --bootstrap-server ... "
        + $"describe-producers --topic {topic} --partition {Partition}, then abort.";
}
