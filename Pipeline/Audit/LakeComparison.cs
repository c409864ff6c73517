using System.Collections.Immutable;
using System.Text;
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
/// Compares the lake with the source table: of each key, the lake's newest version with the row that is in the table now, all columns.
/// It may run beside both halves: the lake is read first and the table after it, so nothing in the lake is news to the table; and
/// a row that changed behind the horizon of the last poll is not due yet.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="admin">Describes the topic.</param>
/// <param name="topic">Tells the topic's ends.</param>
/// <param name="openFiles">Opens where the lake and its commit log lie.</param>
/// <param name="time">The clock.</param>
public sealed class LakeComparison(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles, TimeProvider time)
{
    private const int ExamplesMax = 20;
    private static readonly TimeSpan CatchUpTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan CatchUpPause = TimeSpan.FromMilliseconds(500);

    private readonly ILakeFiles lake = openFiles(options.Datalake.Path);

    /// <summary>Versions held at once; what is more is compared in several passes (invariant 7). A version takes about 130 bytes.</summary>
    internal int VersionsMax { get; init; } = 1_000_000;

    /// <exception cref="PipelineException">The lake stays behind the topic, or cannot be compared.</exception>
    public async Task<ComparisonResult> CompareAsync(CancellationToken cancellationToken)
    {
        var horizon = new WatermarkFile(options).Read()?.Horizon;
        await WaitForTheLakeAsync(cancellationToken);
        var files = LakeReader.Files(lake).ToList();
        var shares = await SharesAsync(files, cancellationToken);
        var schemas = new SchemaStore(options.Streaming.CheckpointLocation);
        var table = await TableSchemaAsync(cancellationToken);
        var versions = new LakeVersions(lake, table, schemas.Read);
        var tally = new Tally(versions);
        for (var share = 0; share < shares; share++)
        {
            await versions.LoadAsync(files, share, shares, cancellationToken);
            await new TableScan(options.Postgres).ReadAsync(
                horizon, schema => tally.Visitor(SameAs(schema, table), share, shares), cancellationToken);
            tally.CountExtra();
        }
        return tally.Result with { LakeFiles = files.Count };
    }

    /// <summary>What is in the topic when it is called has to be in the lake, else its absence says nothing.</summary>
    private async Task WaitForTheLakeAsync(CancellationToken cancellationToken)
    {
        var partitions = (await admin.DescribeClusterAsync(KafkaClients.AnswerTimeout, cancellationToken)).Partitions ?? 0;
        var ends = await topic.PartitionEndsAsync(partitions, KafkaClients.AnswerTimeout, cancellationToken);
        for (var begun = time.GetTimestamp(); ;)
        {
            var now = TopicCommits.Positions(openFiles(options.Streaming.CheckpointLocation), options.Kafka.Topic);
            var behind = ends.Where(e => now.GetValueOrDefault(e.Partition)?.NextRecord is var next && (next ?? e.Low) < e.High).ToList();
            if (behind.Count == 0) return;
            if (time.GetElapsedTime(begun) > CatchUpTimeout)
                throw new PipelineException(FailureAction.Stop,
                    $"The lake is behind the topic in {behind.Count} partitions, and has not caught up within "
                        + $"{CatchUpTimeout.TotalSeconds:0} s.",
                    "Run KafkaToLake until it has (run --only kafka-to-lake --once), then compare again.");
            await Task.Delay(CatchUpPause, time, cancellationToken);
        }
    }

    private async Task<int> SharesAsync(List<string> files, CancellationToken cancellationToken)
    {
        var rows = 0L;
        foreach (var file in files) rows += (await LakeReader.ReadFooterAsync(lake, file, cancellationToken)).Rows;
        return (int)(rows / VersionsMax) + 1;
    }

    private async Task<TableSchema> TableSchemaAsync(CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        return (await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken)).Schema;
    }

    private static TableSchema SameAs(TableSchema now, TableSchema before) => now.Fingerprint == before.Fingerprint
        ? now
        : throw new PipelineException(FailureAction.Stop, "The table's columns changed while it was being compared.", "Compare again.");

    /// <summary>Matches the table's rows with the lake's versions.</summary>
    private sealed class Tally(LakeVersions versions)
    {
        private readonly ImmutableArray<DifferingRow>.Builder examples = ImmutableArray.CreateBuilder<DifferingRow>();
        private ComparisonResult counts = new();

        public ComparisonResult Result => counts with
        {
            LakeRows = versions.Rows,
            StoredTwice = versions.StoredTwice,
            ColumnsLeftOut = [.. versions.ColumnsLeftOut],
            Examples = examples.ToImmutable(),
        };

        public TableScan.Visitor Visitor(TableSchema schema, int share, int shares)
        {
            var keys = new RowDigest(schema, schema.KeyColumns);
            return (row, key, isCovered) =>
            {
                var digest = keys.Of(row);
                if (LakeVersions.IsIn(digest, share, shares)) Match(row, digest, key, isCovered);
            };
        }

        private void Match(DecodedRow row, UInt128 digest, ReadOnlySpan<byte> key, bool isCovered)
        {
            counts = counts with { TableRows = counts.TableRows + 1 };
            ref var version = ref versions.Find(digest, out var found);
            if (found) version.Matched = true;
            var isEqual = found && !version.Deleted && version.Digest == versions.TableDigest(version.Schema).Of(row);
            if (isEqual) counts = counts with { Equal = counts.Equal + 1 };
            else if (!isCovered) counts = counts with { OnTheWay = counts.OnTheWay + 1 };
            else if (!found) Differs(RowDifference.Missing, counts with { Missing = counts.Missing + 1 }, key, null, null);
            else Differs(RowDifference.Stale, counts with { Stale = counts.Stale + 1 }, key, version.Partition, version.Offset);
        }

        public void CountExtra()
        {
            foreach (var version in versions.ByKey.Values)
                if (!version.Matched && !version.Deleted)
                    Differs(RowDifference.Extra, counts with { Extra = counts.Extra + 1 }, default, version.Partition, version.Offset);
            counts = counts with { LakeKeys = counts.LakeKeys + versions.ByKey.Count };
        }

        private void Differs(RowDifference difference, ComparisonResult counted, ReadOnlySpan<byte> key, int? partition, long? offset)
        {
            counts = counted;
            if (examples.Count == ExamplesMax) return;
            examples.Add(new(difference, key.IsEmpty ? null : Encoding.UTF8.GetString(key), partition, offset));
        }
    }
}
