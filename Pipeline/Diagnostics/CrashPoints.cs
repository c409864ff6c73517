namespace OrdersStream.Diagnostics;

/// <summary>Every durable step of both halves, in their order. After each, a crash must change nothing in the end.</summary>
public enum CrashPoint
{
    WindowTaken,
    SchemaWritten,
    PageProduced,
    PageCommitted,
    WatermarkWritten,
    DataFileWritten,
    DataFileSynced,
    CommitCreated,
    DataFileRenamed,
    DirectorySynced,
    RollForwardBegun,
    CommitPruned,
}

/// <summary>
/// Named places between durable steps at which a test can stop the process. In production nothing listens, and a
/// reached point costs one null check.
/// </summary>
public sealed class CrashPoints(Action<CrashPoint>? onReached = null)
{
    /// <summary>Nothing listens.</summary>
    public static CrashPoints None { get; } = new();

    public void Reached(CrashPoint point) => onReached?.Invoke(point);
}
