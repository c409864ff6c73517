using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>
/// One comparison of the whole table with the lake, in steps that somebody may pause between: it may last for hours, so each range has a
/// horizon of its own, and the lake is looked at again for it. What differs is looked at a second time, later; what differs then, too, is
/// asked to be published again.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="arrival">Knows whether the lake has what the topic had.</param>
/// <param name="openFiles">Opens where the lake and its commit log lie.</param>
/// <param name="ask">Takes what is to be published again, and says by which file; null: nothing is.</param>
internal sealed class AuditRound(
    PipelineOptions options, LakeArrival arrival, Func<string, ILakeFiles> openFiles, Func<RepairRequest, string>? ask)
{
    /// <summary>A page that is being published hides the topic's end for a moment; what does so for longer is somebody else's.</summary>
    private static readonly TimeSpan HiddenPatience = TimeSpan.FromSeconds(60);

    /// <summary>So often it is looked whether the lake has what was in the topic: for ten minutes at the least.</summary>
    private const int ArrivalLooksMax = 1_200;

    private readonly ILakeFiles lake = openFiles(options.Datalake.Path), checkpoint = openFiles(options.Streaming.CheckpointLocation);

    private RangeCounts counts;

    /// <summary>The first and the last of the table's ranges with rows that are missing or stale; null: there is none.</summary>
    private (int First, int Last)? differing;

    /// <summary>Keys of the lake that the table has not, offsets that it has more than once, and versions in a wrong folder.</summary>
    private long extra, storedTwice, misplaced;

    /// <summary>Versions that the commit log has and the lake's files have not.</summary>
    private long lost;

    /// <summary>Of the extra ones, those that this round asks to be published as deleted, one before did, or the next will.</summary>
    private long extraAsked;

    /// <summary>Rows that were asked for, and those that were not, since that was of no use the last time.</summary>
    private long requested, unmended;

    /// <summary>Versions that are sorted in memory at once (invariant 7): 48 bytes each, beside all else that the process does.</summary>
    internal int VersionsMax { get; init; } = 250_000;

    /// <summary>Rows that are read in one snapshot.</summary>
    internal int RangeRows { get; init; } = 100_000;

    /// <summary>Differing rows of a range that are asked for by their keys; where there are more, the range is.</summary>
    internal int KeysMax { get; init; } = RowSelection.KeysMax;

    /// <summary>Somebody captures: what is missing may be on its way, and is given the time.</summary>
    public bool IsCaptured { get; init; } = true;

    /// <summary>Who asks.</summary>
    public string Reason { get; init; } = "the audit";

    /// <summary>Rows that were published again since the round before, as they were then: they are not asked for again.</summary>
    public IReadOnlySet<(UInt128 Key, ulong Digest)> AskedBefore { get; init; } = ImmutableHashSet<(UInt128, ulong)>.Empty;

    /// <summary>Rows whose request was set aside since: deletes whose keys the server does not read are not asked for again.</summary>
    public IReadOnlySet<(UInt128 Key, ulong Digest)> SetAsideBefore { get; init; } = ImmutableHashSet<(UInt128, ulong)>.Empty;

    /// <summary>Versions that are lost, and known to be.</summary>
    public long LostAccepted { get; init; }

    /// <summary>How many it has asked for.</summary>
    public long Requested => requested;

    /// <summary>Those that this one asks for.</summary>
    public AskedRows Asked { get; } = new();

    /// <summary>Why what only the lake has is not published as deleted, though it may be; null: it is, or it is not to be.</summary>
    public HeldDeletes? DeletesHeld { get; private set; }

    /// <summary>Keys that are published as deleted after one round; the others are found by the next.</summary>
    internal int DeletesMax { get; init; } = 100_000;

    /// <summary>A trigger sets the ordering column for every writer: no row can be dated back.</summary>
    public bool IsGuarded { get; private set; }

    /// <summary>The key's indexes may be in another order than is searched by.</summary>
    private bool isOrderInDoubt;

    /// <summary>Triggers write down what is deleted.</summary>
    public bool HasTombstones { get; private set; }

    /// <summary>Whatever only the lake has is published as deleted, within the limit; else that which a trigger wrote down.</summary>
    public bool IsOfAllDeletes { get; init; } = options.Postgres.Deletes == "audit";

    /// <summary>What it found, once it is over.</summary>
    public AuditFindings FindingsOf(DateTimeOffset begunAt, DateTimeOffset endedAt) => new(
        begunAt, endedAt, counts.Rows, counts.Equal, counts.OnTheWay, counts.Missing, counts.Stale, extra, storedTwice, requested,
        unmended)
    {
        Lost = Math.Max(0, lost - LostAccepted), Misplaced = misplaced, IsOrderInDoubt = isOrderInDoubt,
        DifferingRanges = differing,
        ExtraUnasked = options.Postgres.Deletes != "off" && (HasTombstones || IsOfAllDeletes) ? extra - extraAsked : 0,
    };

    /// <summary>The round, step by step.</summary>
    /// <returns>After each step, how long to wait at least before the next.</returns>
    public async IAsyncEnumerable<TimeSpan> StepsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var wait in ArrivalAsync(cancellationToken)) yield return wait;
        // An empty folder where the lake should be says nothing of the lake (invariant 6).
        await LakeOwner.CheckAsync(lake, checkpoint, options.Kafka.Topic, cancellationToken);
        // Where another process stores, with a commit log of its own elsewhere, all of the table would seem to be lost.
        if (TopicCommits.Find(checkpoint, options.Kafka.Topic) is null)
            throw new PipelineException(FailureAction.Retry,
                $"There is no commit log of topic '{options.Kafka.Topic}' in {options.Streaming.CheckpointLocation}, so what the lake has "
                + "cannot be told.",
                "It is there once KafkaToLake has stored something. Where that has a folder of its own, compare there (verify), and set "
                + "audit.enabled to false here.");
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var table = await ComparedTable.ReadAsync(connection, options, cancellationToken);
        (IsGuarded, HasTombstones, isOrderInDoubt) = (table.Trigger.Counts, table.Tombstones is not null, table.IsOrderInDoubt);
        // First: what it counts is in the files that are read next, or gone.
        var logged = LoggedVersions.Read(checkpoint, options.Kafka.Topic);
        using var index = LakeIndex.Of(options, lake, table.Schema, VersionsMax, logged);
        await foreach (var _ in index.BuildByFileAsync(cancellationToken)) yield return TimeSpan.Zero;

        var ranges = new TableRanges(connection, options.Postgres, table.Schema) { RowsMax = RangeRows, Oid = table.Oid };
        for (var number = 0; number < ranges.Count; number++)
            await foreach (var wait in CompareAsync(number, ranges, index, cancellationToken)) yield return wait;
        counts = counts with { OnTheWay = counts.OnTheWay + index.CameSince() };
        if (index.NeverFound().Any())
        {
            // What was deleted meanwhile, and is not in the lake yet, is on the way.
            var horizon = PublishedRows.Horizon(new WatermarkFile(options).Read());
            await foreach (var wait in ArrivalAsync(cancellationToken)) yield return wait;
            await index.UpdateAsync(cancellationToken);
            var pending = await PendingDeletes.ReadAsync(connection, options.Postgres, horizon, cancellationToken);
            foreach (var version in index.NeverFound())
            {
                if (!pending.Contains(version.Key)) extra++;
                else if (horizon is null) throw ReadAsWhole;
                else counts = counts with { OnTheWay = counts.OnTheWay + 1 };
            }
            if (extra > 0 && options.Postgres.Deletes != "off" && (ask is not null || IsOfAllDeletes))
            {
                // A delete that was published and that the lake has lost is in no window any more, and its tombstone may be there still.
                var written = IsOfAllDeletes ? null : await PendingDeletes.ReadAsync(connection, options.Postgres, null, cancellationToken);
                bool IsGone(IndexedVersion v) => !pending.Contains(v.Key) && written?.Has(v.Key) != false;
                await foreach (var wait in DeleteAsync(index, IsGone, connection, table, cancellationToken)) yield return wait;
            }
        }
        if (index.Lost > 0)
        {
            // Files that were committed and had no names yet have them by the time the lake has what is in the topic now.
            await foreach (var wait in ArrivalAsync(cancellationToken)) yield return wait;
            await index.UpdateAsync(cancellationToken);
        }
        index.CheckNothingMoved();
        (storedTwice, misplaced, lost) = (index.StoredTwice, index.Misplaced, index.Lost);
    }

    /// <summary>
    /// Asks for what is extra to be published as deleted. Who does looks first whether it is in the table; so what a lake that is another
    /// table's, or a table that is empty for a while, may do is to hide rows until they are found missing. Hence the limit.
    /// </summary>
    private async IAsyncEnumerable<TimeSpan> DeleteAsync(
        LakeIndex index, Func<IndexedVersion, bool> isGone, NpgsqlConnection connection, SourceTable table,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var gone = index.NeverFound().LongCount(isGone);
        if (gone == 0) yield break;
        // Rows that were passed over seem to be gone; and who looks them up by the same index takes them for gone, too.
        if (table.IsOrderInDoubt) DeletesHeld = HeldDeletes.OrderInDoubt;
        else if (counts.Rows == 0) DeletesHeld = HeldDeletes.EmptyTable;
        else if (gone * 100 > options.Postgres.DeletesShareMax * (counts.Rows + gone))
            DeletesHeld = HeldDeletes.TooMany(options.Postgres.DeletesShareMax);
        // What would hold them back is told also where nobody is asked.
        if (DeletesHeld is not null || ask is null) yield break;
        extraAsked = gone;
        var wanted = new Dictionary<UInt128, ulong>();
        foreach (var version in index.NeverFound().Where(isGone).Take(DeletesMax))
        {
            if (!AskedBefore.Contains((version.Key, version.Digest)))
            {
                wanted.Add(version.Key, version.Digest);
                continue;
            }
            AddUseless((version.Key, version.Digest));
        }
        await foreach (var keys in index.KeysAsync(wanted.Keys.ToHashSet(), cancellationToken))
        {
            var readable = new List<(UInt128 Key, ImmutableArray<string> Text)>();
            foreach (var key in keys)
            {
                var seen = (key.Key, wanted[key.Key]);
                if (!SetAsideBefore.Contains(seen) || await IsReadAsync(connection, table, key.Text, cancellationToken)) readable.Add(key);
                else AddUseless(seen);
            }
            foreach (var some in readable.Chunk(KeysMax))
            {
                var request = new RepairRequest(Reason, new RowSelection { Keys = [.. some.Select(k => k.Text)] }, table.Order);
                Asked.Add(ask(request with { IsDeletes = true }), some.Select(k => (k.Key, wanted[k.Key])));
            }
            requested += readable.Count;
            yield return TimeSpan.Zero;
        }
    }

    /// <summary>To publish it again was of no use, and would be none.</summary>
    private void AddUseless((UInt128 Key, ulong Digest) row)
    {
        unmended++;
        Asked.AddUseless(row);
    }

    /// <summary>The server takes the text for a key: of a label that its type has no more it does not.</summary>
    private static async Task<bool> IsReadAsync(
        NpgsqlConnection connection, SourceTable table, ImmutableArray<string> key, CancellationToken cancellationToken)
    {
        try
        {
            await table.ReadKeyAsync(connection, key, cancellationToken);
            return true;
        }
        catch (PostgresException e) when (e.SqlState.StartsWith("22", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private async IAsyncEnumerable<TimeSpan> CompareAsync(
        int number, TableRanges ranges, LakeIndex index, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var suspects = new Dictionary<UInt128, ImmutableArray<string>?>();
        for (var look = 1; ; look++)
        {
            // First: what it has was published, and so is in the topic that is looked at next.
            var horizon = PublishedRows.Horizon(new WatermarkFile(options).Read());
            await foreach (var wait in ArrivalAsync(cancellationToken)) yield return wait;
            await index.UpdateAsync(cancellationToken);
            var range = new TableRange(index.Shapes.Count) { Suspects = suspects, TextsMax = KeysMax };
            await ranges.ReadAsync(number, horizon, index.Shapes, range, cancellationToken);
            var match = RangeMatch.Of(range, index);
            // To let it pass would say of what an earlier round found that it is mended.
            if (horizon is null && match.Counts.OnTheWay > 0) throw ReadAsWhole;
            if (match.Mismatches.Count == 0 || look == 2)
            {
                counts += Confirmed(match, range, ranges, index);
                yield return TimeSpan.Zero;
                yield break;
            }
            foreach (var mismatch in match.Mismatches) suspects[range.Rows[mismatch.Number].Key] = null;
            // So that capture, and who stores, may get further.
            yield return IsCaptured ? 2 * TimeSpan.FromSeconds(options.Streaming.BatchInterval) : TimeSpan.Zero;
        }
    }

    private static PipelineException ReadAsWhole => new(FailureAction.Retry,
        "The table is being read as a whole, so of rows that the lake lacks nothing is known to be published, and they cannot be compared.",
        "Wait until PostgresToKafka has read it: status says how far it is.");

    /// <summary>What differs a second time counts; the rest is on its way.</summary>
    private RangeCounts Confirmed(RangeMatch match, TableRange range, TableRanges ranges, LakeIndex index)
    {
        var (keys, wanted) = (new List<ImmutableArray<string>>(), new List<(UInt128, ulong)>());
        var (missing, stale) = (0L, 0L);
        foreach (var mismatch in match.Mismatches)
        {
            var row = range.Rows[mismatch.Number];
            if (!range.Suspects.TryGetValue(row.Key, out var key)) continue;
            if (mismatch.Difference == RowDifference.Missing) missing++;
            else stale++;
            if (ask is null) continue;
            // A lake without any file has no shape to compare by.
            var seen = (row.Key, index.Shapes.Count == 0 ? 0 : range.DigestOf(row, 0));
            if (AskedBefore.Contains(seen))
            {
                AddUseless(seen);
                continue;
            }
            wanted.Add(seen);
            if (key is { } texts) keys.Add(texts);
        }
        if (wanted.Count > 0)
        {
            // Of some there are no texts: too many were wanted.
            var isByKeys = keys.Count == wanted.Count;
            var request = isByKeys ? new(Reason, new RowSelection { Keys = [.. keys] }, range.Order) : AllOf(range, ranges);
            Asked.Add(ask!(request), wanted);
            requested += wanted.Count;
        }
        if (missing + stale > 0) differing = (differing?.First ?? range.Number, range.Number);
        var others = match.Mismatches.Count - missing - stale;
        return match.Counts with { OnTheWay = match.Counts.OnTheWay + others, Missing = missing, Stale = stale };
    }

    private RepairRequest AllOf(TableRange range, TableRanges ranges)
    {
        var (behind, last) = ranges.BoundsOf(range.Number);
        return new(Reason, new RowSelection { LastKey = last }, range.Order, behind is { } key ? new Cursor(null, key) : null);
    }

    /// <summary>Until what is in the topic now is in the lake.</summary>
    private async IAsyncEnumerable<TimeSpan> ArrivalAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var awaited = await arrival.LookAsync(HiddenPatience, cancellationToken);
        for (var looks = 1; await arrival.BehindAsync(awaited, cancellationToken) is > 0 and var behind; looks++)
        {
            if (looks == ArrivalLooksMax)
                throw new PipelineException(FailureAction.Retry,
                    $"The lake stays behind the topic in {behind} partitions, so it cannot be compared with the table.",
                    "See that KafkaToLake runs, and gets on (status).");
            yield return LakeArrival.Pause;
        }
    }
}
