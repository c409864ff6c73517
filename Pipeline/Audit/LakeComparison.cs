using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>How far a comparison has got.</summary>
/// <param name="IsTable">True: the table's rows are being compared; false: the lake is still being read.</param>
/// <param name="Rows">Rows of it so far.</param>
public readonly record struct ComparisonProgress(bool IsTable, long Rows);

/// <summary>
/// Compares the lake with the source table: of each key, the lake's newest version with the row that is in the table now, all columns.
/// It may run beside both halves: the lake is read first and the table after it, so nothing in the lake is news to the table; and
/// a row that changed behind the horizon of the last poll is not due yet, and is looked at again when capture has got further.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="admin">Describes the topic.</param>
/// <param name="topic">Tells the topic's ends.</param>
/// <param name="openFiles">Opens where the lake and its commit log lie.</param>
/// <param name="time">The clock.</param>
public sealed class LakeComparison(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles, TimeProvider time)
{
    private const int RoundsMax = 5;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly ILakeFiles lake = openFiles(options.Datalake.Path);
    private readonly LakeArrival arrival = new(options, admin, topic, openFiles, time);

    /// <summary>Versions that are sorted in memory at once (invariant 7): 48 bytes each.</summary>
    internal int VersionsMax { get; init; } = 1_000_000;

    /// <summary>Rows that are read in one snapshot.</summary>
    internal int RangeRows { get; init; } = 100_000;

    /// <summary>How long it waits for the lake, and then for capture.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Compares the whole table.</summary>
    /// <inheritdoc cref="CompareAsync(DateTime?, DateTime?, IProgress{ComparisonProgress}?, CancellationToken)"/>
    public Task<ComparisonResult> CompareAsync(CancellationToken cancellationToken) => CompareAsync(null, null, null, cancellationToken);

    /// <param name="from">Least value of the ordering column; null: any, and none.</param>
    /// <param name="to">The ordering column is below it; null: any, and none.</param>
    /// <param name="progress">Told now and then how far it is.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PipelineException">The lake stays behind the topic, or cannot be compared.</exception>
    public async Task<ComparisonResult> CompareAsync(
        DateTime? from, DateTime? to, IProgress<ComparisonProgress>? progress, CancellationToken cancellationToken)
    {
        var only = from is null && to is null ? null : new RowSelection { From = from, To = to };
        var position = Position();
        var horizon = PublishedRows.Horizon(position);
        await arrival.WaitAsync(Patience, cancellationToken);
        // An empty folder where the lake should be says nothing of the lake (invariant 6).
        await LakeOwner.CheckAsync(lake, openFiles(options.Streaming.CheckpointLocation), options.Kafka.Topic, cancellationToken);
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var table = await ComparedTable.ReadAsync(connection, options, cancellationToken);
        var begun = await BegunAsync(connection, table, cancellationToken);
        // First: what it counts is in the files that are read next, or gone.
        var logged = LoggedVersions.Read(openFiles(options.Streaming.CheckpointLocation), options.Kafka.Topic);
        using var index = LakeIndex.Of(options, lake, table.Schema, VersionsMax, logged);
        await index.BuildAsync(progress, cancellationToken);

        var ranges = new TableRanges(connection, options.Postgres, table.Schema) { RowsMax = RangeRows, Only = only, Oid = table.Oid };
        var tally = new Tally(index, isPart: only is not null, table.IsOrderInDoubt);
        IReadOnlySet<int>? open = null;
        for (var round = 1; ; round++)
        {
            await foreach (var range in ranges.ReadAsync(horizon, index.Shapes, open, cancellationToken))
            {
                tally.Take(range);
                progress?.Report(new(IsTable: true, tally.TableRows));
            }
            open = tally.OpenRanges;
            var isDeleting = await tally.LookForDeletesAsync(
                () => PendingDeletes.ReadAsync(connection, options.Postgres, horizon, cancellationToken));
            if (open.Count == 0 && !isDeleting) return await EndAsync(position?.Horizon is not null);
            if (round == RoundsMax) return await EndAsync(await IsAllSinceAsync(isDeleting ? tally : null));
            // What was not due is looked at again when capture has published it and it is stored.
            if (await LaterThanAsync(connection, horizon, cancellationToken) is not { } later) return await EndAsync(hasSettled: false);
            horizon = later;
            await arrival.WaitAsync(Patience, cancellationToken);
            await index.UpdateAsync(cancellationToken);
        }

        async Task<ComparisonResult> EndAsync(bool hasSettled)
        {
            if (only is not null) return tally.End(hasSettled);
            // Files that were committed and had no names yet have them by the time the lake has what is in the topic now.
            var known = new AuditStateFile(options, CrashPoints.None).Read()?.LostAccepted ?? 0;
            if (index.Lost > known)
            {
                await arrival.WaitAsync(Patience, cancellationToken);
                await index.UpdateAsync(cancellationToken);
            }
            var accepted = Math.Min(index.Lost, known);
            return tally.End(hasSettled) with { Lost = index.Lost - accepted, LostAccepted = accepted };
        }

        // A busy table always has something on its way: what was there when the comparison began must not be.
        async Task<bool> IsAllSinceAsync(Tally? deleting)
        {
            await foreach (var range in ranges.ReadAsync(begun, index.Shapes, open, cancellationToken))
                if (RangeMatch.Of(range, index).Mismatches.Count > 0) return false;
            return deleting is null
                || deleting.DeletesAreIn(await PendingDeletes.ReadAsync(connection, options.Postgres, begun, cancellationToken));
        }
    }

    /// <summary>As a horizon, whatever was written by who had begun by now: what it does not have was written since.</summary>
    private static async Task<Horizon> BegunAsync(NpgsqlConnection connection, SourceTable table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_snapshot_xmax(pg_current_snapshot())::text", connection);
        var next = ulong.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!, CultureInfo.InvariantCulture);
        return new("", next, next, [], null, default, default, ImmutableSortedDictionary<uint, DateTime?>.Empty)
        {
            Tombstones = table.Tombstones?.Oid,
        };
    }

    private Watermark? Position() => new WatermarkFile(options).Read();

    /// <returns>Null: capture gets no further.</returns>
    private async Task<Horizon?> LaterThanAsync(NpgsqlConnection connection, Horizon? horizon, CancellationToken cancellationToken)
    {
        for (var begun = time.GetTimestamp(); ; await Task.Delay(Pause, time, cancellationToken))
        {
            var isCaptured = await PollerLock.HolderAsync(connection, options.PublisherName, cancellationToken) is not null;
            if (PublishedRows.Horizon(Position()) is { } now && (horizon is null || now.TakenAt > horizon.TakenAt)) return now;
            if (!isCaptured || time.GetElapsedTime(begun) > Patience) return null;
        }
    }

    /// <summary>Matches the table's rows with the lake's versions, and counts range by range: a range may be looked at again.</summary>
    private sealed class Tally(LakeIndex index, bool isPart, bool isOrderInDoubt)
    {
        private const int ExamplesMax = 20;

        private readonly List<DifferingRow> examples = [];
        private readonly SortedDictionary<int, RangeCounts> counted = [];
        private PendingDeletes pending = PendingDeletes.None;

        public long TableRows => counted.Values.Sum(c => c.Rows);

        /// <summary>Ranges with rows that were not due.</summary>
        public IReadOnlySet<int> OpenRanges => counted.Where(c => c.Value.OnTheWay > 0).Select(c => c.Key).ToHashSet();

        public void Take(TableRange range)
        {
            var match = RangeMatch.Of(range, index);
            foreach (var mismatch in match.Mismatches.Take(ExamplesMax))
            {
                var key = Encoding.UTF8.GetString(range.KeyOf(range.Rows[mismatch.Number]));
                var isStale = mismatch.Difference == RowDifference.Stale;
                AddExample(new(
                    mismatch.Difference, key, isStale ? mismatch.Version.Partition : null, isStale ? mismatch.Version.Offset : null));
            }
            counted[range.Number] = match.Counts;
        }

        /// <summary>Asks for deletes that are on their way, where the lake has rows that the table has not.</summary>
        /// <returns>Some of those are such.</returns>
        public async Task<bool> LookForDeletesAsync(Func<Task<PendingDeletes>> readAsync)
        {
            pending = NotInTable().Any() ? await readAsync() : PendingDeletes.None;
            return NotInTable().Any(v => pending.Contains(v.Key));
        }

        /// <summary>All deletes that are on their way are among these.</summary>
        public bool DeletesAreIn(PendingDeletes others) => NotInTable().All(v => !pending.Contains(v.Key) || others.Contains(v.Key));

        // Where only a part of the table was read, a key that was not met may be in the rest.
        private IEnumerable<IndexedVersion> NotInTable() => isPart ? [] : index.NeverFound();

        /// <param name="hasSettled">Capture has got past all that was not due at first.</param>
        public ComparisonResult End(bool hasSettled)
        {
            index.CheckNothingMoved();
            var (extra, deleting) = (0L, 0L);
            foreach (var version in NotInTable())
            {
                if (pending.Contains(version.Key))
                {
                    deleting++;
                    continue;
                }
                extra++;
                AddExample(new(RowDifference.Extra, null, version.Partition, version.Offset));
            }
            return new ComparisonResult
            {
                IsPart = isPart,
                TableRows = TableRows,
                Equal = counted.Values.Sum(c => c.Equal),
                OnTheWay = counted.Values.Sum(c => c.OnTheWay) + deleting + (isPart ? 0 : index.CameSince()),
                Stale = counted.Values.Sum(c => c.Stale),
                Missing = counted.Values.Sum(c => c.Missing),
                Extra = extra,
                LakeRows = index.Rows,
                LakeKeys = index.Keys,
                LakeFiles = index.Files,
                StoredTwice = index.StoredTwice,
                Misplaced = index.Misplaced,
                ColumnsLeftOut = [.. index.Shapes.SelectMany(s => s.LeftOut)],
                Examples = [.. index.TwiceStored, .. index.MisplacedFiles, .. examples],
                HasSettled = hasSettled,
                IsOrderInDoubt = isOrderInDoubt,
            };
        }

        // A range that is looked at again may show the same one.
        private void AddExample(DifferingRow row)
        {
            if (examples.Count < ExamplesMax && !examples.Contains(row)) examples.Add(row);
        }
    }
}
