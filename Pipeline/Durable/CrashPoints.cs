namespace OrdersStream.Durable;

/// <summary>
/// Every durable step of both halves and of the audit, in their order. After each, a crash must change nothing in the end.
/// </summary>
public enum CrashPoint
{
    WindowTaken,
    SchemaWritten,
    LargeRowKept,
    PageProduced,
    PageCommitted,
    WatermarkWritten,
    TombstonesRemoved,
    RequestWritten,
    RequestRemoved,
    ReplayWritten,
    AuditWritten,
    FolderCreated,
    StateFileSynced,
    StateFileNamed,
    LakeOwnerWritten,
    TopicOwnerWritten,
    DataFileWritten,
    DataFileSynced,
    TemporaryNamesSynced,
    CommitCreated,
    CommitWithdrawn,
    DataFileRenamed,
    DirectorySynced,
    CommitPruned,
    RollForwardBegun,
    OffsetsStored,
}

/// <summary>
/// What every durable step is given, so that none can be written without a crash point behind it: the file operations take one
/// and reach it when they are done.
/// </summary>
public readonly record struct DurableStep(CrashPoints CrashPoints, CrashPoint Point)
{
    internal void Done() => CrashPoints.Reached(Point);
}

/// <summary>
/// Named places between durable steps at which a test can stop the process. In production nothing listens, and a
/// reached point costs one null check.
/// </summary>
public sealed class CrashPoints(Action<CrashPoint>? onReached = null)
{
    /// <summary>Nothing listens.</summary>
    public static CrashPoints None { get; } = new();

    /// <summary>Those of a host that names none of its own. Only a test's child process sets it.</summary>
    public static CrashPoints OfProcess { get; internal set; } = None;

    /// <summary>The step that ends at this point.</summary>
    public DurableStep Before(CrashPoint point) => new(this, point);

    public void Reached(CrashPoint point) => onReached?.Invoke(point);
}
