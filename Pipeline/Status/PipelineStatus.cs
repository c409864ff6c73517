using System.Collections.Immutable;

namespace OrdersStream.Status;

/// <summary>Where everything stands. What could not be read is null, and <see cref="Problems"/> says why.</summary>
public sealed record PipelineStatus
{
    public required DateTimeOffset At { get; init; }
    public required string Table { get; init; }
    public required string Topic { get; init; }
    public required string Lake { get; init; }
    public CaptureStatus? Capture { get; init; }
    public ImmutableArray<PartitionStatus> Partitions { get; init; } = [];

    /// <summary>Odd, nothing lost.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];
    public ImmutableArray<string> Problems { get; init; } = [];

    public long Rows => Partitions.Sum(p => p.Rows);
    public long Quarantined => Partitions.Sum(p => p.Quarantined);
    public long Files => Partitions.Sum(p => p.Files);

    /// <summary>Offsets of the topic that the lake has not; null while the topic's ends are unknown.</summary>
    public long? Lag => Partitions.Any(p => p.Lag is null) ? null : Partitions.Sum(p => p.Lag);
}

/// <summary>Where PostgresToKafka stands, as the watermark file says.</summary>
/// <param name="WindowsTaken">Number of the last window taken.</param>
/// <param name="CapturedUpTo">When the horizon was taken up to which everything is published; null: the initial load is not done.</param>
/// <param name="NextFrom">The next window reads rows from here on, by the ordering column; null: from the beginning.</param>
/// <param name="WindowInProgress">Number of a window that is not published whole; null: none.</param>
/// <param name="PagesOfWindow">Pages of it that are.</param>
public sealed record CaptureStatus(long WindowsTaken, DateTime? CapturedUpTo, DateTime? NextFrom, long? WindowInProgress, int PagesOfWindow);

/// <summary>One partition: the topic's ends and the lake's position.</summary>
/// <param name="Partition">Its number.</param>
/// <param name="Low">First offset that Kafka keeps; null: unknown.</param>
/// <param name="High">End of what is committed; null: unknown.</param>
/// <param name="Next">Next offset that the lake has not.</param>
/// <param name="Lag">Offsets that wait in Kafka; null: unknown.</param>
/// <param name="Rows">Rows stored.</param>
/// <param name="Quarantined">Records in quarantine.</param>
/// <param name="Files">Files written.</param>
/// <param name="CommittedAt">Time of the last commit.</param>
public sealed record PartitionStatus(
    int Partition, long? Low, long? High, long Next, long? Lag, long Rows, long Quarantined, long Files, DateTimeOffset? CommittedAt);
