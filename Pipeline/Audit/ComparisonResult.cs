using System.Collections.Immutable;

namespace OrdersStream.Audit;

/// <summary>A row by its key's text, or where only the lake has it by its place in the topic.</summary>
/// <param name="Difference">What is wrong with it.</param>
/// <param name="Key">Its key; null where only the lake has the row.</param>
/// <param name="Partition">Partition of the lake's newest version; null where the lake has none.</param>
/// <param name="Offset">Offset of that version.</param>
/// <param name="File">File of the lake that has a version again, or lies in the wrong folder; null: it is about the row.</param>
public sealed record DifferingRow(RowDifference Difference, string? Key, int? Partition, long? Offset, string? File = null);

public enum RowDifference
{
    /// <summary>In the table, captured by now, and not in the lake.</summary>
    Missing,
    /// <summary>The lake's newest version is not the table's.</summary>
    Stale,
    /// <summary>In the lake and not in the table: the row was deleted, and no trigger wrote it down.</summary>
    Extra,
    /// <summary>A version is in more than one file of the lake, or more than once in one.</summary>
    StoredTwice,
    /// <summary>A file lies in another folder than its rows belong in.</summary>
    Misplaced,
}

/// <summary>What a comparison found; also the exit code of <c>verify</c>.</summary>
public enum ComparisonVerdict
{
    /// <summary>Each row was seen to be equal; of those that changed meanwhile, capture was seen to publish what came before.</summary>
    Equal = 0,
    Different = 1,

    /// <summary>Rows wait for a capture that gets no further, or not all may have been read: whether they are equal was not seen.</summary>
    Unknown = 2,
}

/// <summary>How the lake compares with the source table.</summary>
public sealed record ComparisonResult
{
    /// <summary>Only some rows of the table were compared: whether the lake has rows that the table has not was not looked for.</summary>
    public bool IsPart { get; init; }

    /// <summary>Rows of the table, or of that part.</summary>
    public long TableRows { get; init; }

    /// <summary>Rows whose newest version in the lake equals the table's.</summary>
    public long Equal { get; init; }
    public long Missing { get; init; }
    public long Stale { get; init; }
    public long Extra { get; init; }

    /// <summary>Changed after the last poll's horizon and so not due yet; the lake has no version, or an older one.</summary>
    public long OnTheWay { get; init; }

    /// <summary>Capture has got past all that was on its way when the comparison began.</summary>
    public bool HasSettled { get; init; }

    /// <summary>The key's indexes may be in another order than is searched by: rows that are passed over seem to be extra.</summary>
    public bool IsOrderInDoubt { get; init; }

    /// <summary>Row versions in the lake.</summary>
    public long LakeRows { get; init; }

    /// <summary>Different keys in the lake.</summary>
    public long LakeKeys { get; init; }
    public int LakeFiles { get; init; }

    /// <summary>Topic offsets that are in the lake more than once.</summary>
    public long StoredTwice { get; init; }

    /// <summary>Row versions in files that lie in another folder than their rows belong in.</summary>
    public long Misplaced { get; init; }

    /// <summary>
    /// Versions that the commit log has and the lake's files have not, without those that were accepted as lost: files are gone. Where a
    /// newer version of the row is there, the table does not show it.
    /// </summary>
    public long Lost { get; init; }

    /// <summary>Versions that are lost, too, and accepted.</summary>
    public long LostAccepted { get; init; }

    /// <summary>Columns that were left out because an older schema has them not, or as another type.</summary>
    public ImmutableSortedSet<string> ColumnsLeftOut { get; init; } = [];

    /// <summary>The first few differences.</summary>
    public ImmutableArray<DifferingRow> Examples { get; init; } = [];

    /// <summary>No row is in that part: nothing was compared.</summary>
    public bool HasNothing => IsPart && TableRows == 0;

    /// <summary>The table has rows, and not one was due: nothing was seen to be equal.</summary>
    private bool ComparedNothing => TableRows > 0 && Equal == 0 && OnTheWay > 0;

    public ComparisonVerdict Verdict => Lost > 0 ? ComparisonVerdict.Different : OfPresentRows;

    /// <summary>The verdict on the newest version of each row alone.</summary>
    public ComparisonVerdict OfPresentRows =>
        Missing > 0 || Stale > 0 || (Extra > 0 && !IsOrderInDoubt) || StoredTwice + Misplaced > 0 ? ComparisonVerdict.Different
        : HasSettled && !HasNothing && !ComparedNothing && !IsOrderInDoubt ? ComparisonVerdict.Equal
        : ComparisonVerdict.Unknown;
}
