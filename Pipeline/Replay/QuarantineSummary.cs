using System.Collections.Immutable;

namespace OrdersStream.Replay;

/// <summary>What waits in quarantine.</summary>
/// <param name="Records">How many records.</param>
/// <param name="Replayed">Records that were there and came again: they do not count.</param>
/// <param name="Causes">The most frequent first.</param>
public sealed record QuarantineSummary(long Records, long Replayed, ImmutableArray<QuarantineGroup> Causes);

/// <summary>The records of one cause.</summary>
/// <param name="Reason">Why they are no rows.</param>
/// <param name="Records">How many.</param>
/// <param name="Since">Kafka's time of the oldest; null: it is not known.</param>
/// <param name="Until">Of the newest.</param>
/// <param name="Partitions">Where they lie.</param>
public sealed record QuarantineGroup(
    string Reason, long Records, DateTimeOffset? Since, DateTimeOffset? Until, ImmutableArray<QuarantineStretch> Partitions);

/// <summary>Records of one cause in one partition.</summary>
/// <param name="Partition">Its number.</param>
/// <param name="Generation">How often it had lost its end before.</param>
/// <param name="Records">How many.</param>
/// <param name="First">The least offset.</param>
/// <param name="Last">The greatest offset; others may lie between.</param>
/// <param name="Files">Where their lines stand, below <c>datalake.path</c>.</param>
public sealed record QuarantineStretch(int Partition, int Generation, long Records, long First, long Last, ImmutableArray<string> Files);
