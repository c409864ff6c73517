using OrdersStream.Durable;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// All durable steps, each with the half whose it is: a new one belongs to some class of each kind of tests without being named here. There
/// is a class for each half, since classes run side by side and the cases of one do not.
/// </summary>
internal static class Steps
{
    private static readonly CrashPoint[] OfCapture =
    [
        CrashPoint.WindowTaken, CrashPoint.PageProduced, CrashPoint.PageCommitted, CrashPoint.WatermarkWritten,
    ];

    // A writer that slept past the pruning of a day's log: CommitLogTests makes the log that old, and lets the writer die there.
    private static readonly CrashPoint[] NeedsAClock = [CrashPoint.CommitWithdrawn];

    // LargeRowTests has rows that are too large for a record, and lets the reader die there.
    private static readonly CrashPoint[] NeedsALargeRow = [CrashPoint.LargeRowKept];

    // RepairTests asks for rows to be published again, and lets the poller die there; QuarantineReplayTests replays; the audit's state
    // decides nothing.
    private static readonly CrashPoint[] NeedsARequest =
        [CrashPoint.RequestWritten, CrashPoint.RequestRemoved, CrashPoint.ReplayWritten, CrashPoint.AuditWritten];

    // A run that begins with nothing to roll forward and whose log is young meets all others.
    private static readonly CrashPoint[] NotMetAtOnce = [CrashPoint.RollForwardBegun, CrashPoint.CommitPruned];

    // DeletesTests has tombstones of days ago.
    private static readonly CrashPoint[] NeedsOldTombstones = [CrashPoint.TombstonesRemoved];

    public static TheoryData<CrashPoint> Capture => new(OfCapture);

    /// <summary>Those of a capture that has deletes.</summary>
    public static TheoryData<CrashPoint> Deletes => new(OfCapture.Concat(NeedsOldTombstones));
    public static TheoryData<CrashPoint> Storage => new(OfStorage);

    /// <summary>Those of <see cref="Storage"/> that the first run of a stream meets.</summary>
    public static TheoryData<CrashPoint> FirstStorage =>
        new(OfStorage.Except(NotMetAtOnce));

    private static IEnumerable<CrashPoint> OfStorage =>
        Enum.GetValues<CrashPoint>().Except(OfCapture).Except(NeedsAClock).Except(NeedsALargeRow).Except(NeedsARequest)
            .Except(NeedsOldTombstones);
}
