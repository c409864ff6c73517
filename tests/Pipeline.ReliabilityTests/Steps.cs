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
        CrashPoint.WindowTaken, CrashPoint.SchemaWritten, CrashPoint.PageProduced, CrashPoint.PageCommitted, CrashPoint.WatermarkWritten,
    ];

    // A writer that slept past the pruning of a day's log: CommitLogTests makes the log that old, and lets the writer die there.
    private static readonly CrashPoint[] NeedsAClock = [CrashPoint.CommitWithdrawn];

    // A run that begins with nothing to roll forward and whose log is young meets all others.
    private static readonly CrashPoint[] NotMetAtOnce = [CrashPoint.RollForwardBegun, CrashPoint.CommitPruned];

    public static TheoryData<CrashPoint> Capture => new(OfCapture);
    public static TheoryData<CrashPoint> Storage => new(Enum.GetValues<CrashPoint>().Except(OfCapture).Except(NeedsAClock));

    /// <summary>Those of <see cref="Storage"/> that the first run of a stream meets.</summary>
    public static TheoryData<CrashPoint> FirstStorage =>
        new(Enum.GetValues<CrashPoint>().Except(OfCapture).Except(NeedsAClock).Except(NotMetAtOnce));
}
