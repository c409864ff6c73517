using System.Collections.Immutable;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Postgres;

namespace OrdersStream.Status;

/// <summary>One partition's ends in the topic.</summary>
public sealed record TopicPartitionEnds(int Partition, long Low, long High);

/// <summary>What the lake's commit log says of one partition.</summary>
/// <param name="NextRecord">Offset of the next record; a transaction marker that follows the last one is passed over.</param>
/// <param name="Newest">The newest entry.</param>
public sealed record StoredPosition(long NextRecord, CommitEntry Newest);

/// <summary>Reads where everything stands, from the state files and both servers. It changes nothing anywhere.</summary>
public sealed class StatusReader(PipelineOptions options, TopicAdmin admin, TopicReader topic, TimeProvider time)
{
    public async Task<PipelineStatus> ReadAsync(CancellationToken cancellationToken)
    {
        var problems = ImmutableArray.CreateBuilder<string>();
        var capture = Try(ReadCapture, problems);
        var stored = Try(StoredPositions, problems) ?? ImmutableSortedDictionary<int, StoredPosition>.Empty;
        var ends = await TryAsync(() => PartitionsAsync(cancellationToken), problems, cancellationToken) ?? [];
        var warnings = await TryAsync(() => SourceWarningsAsync(cancellationToken), problems, cancellationToken);
        return new PipelineStatus
        {
            At = time.GetUtcNow(),
            Table = $"{options.Postgres.Schema}.{options.Postgres.Table}",
            Topic = options.Kafka.Topic,
            Lake = options.Datalake.Path,
            Capture = capture,
            Partitions = [.. stored.Keys.Union(ends.Select(e => e.Partition)).Order().Select(p => Join(p, ends.FirstOrDefault(e => e.Partition == p), stored.GetValueOrDefault(p)))],
            Warnings = warnings.IsDefault ? [] : warnings,
            Problems = problems.ToImmutable(),
        };
    }

    /// <summary>The topic's ends; empty where there is no topic yet.</summary>
    public async Task<IReadOnlyList<TopicPartitionEnds>> PartitionsAsync(CancellationToken cancellationToken)
    {
        if (await admin.FindAsync(cancellationToken) is not { } description) return [];
        var ends = new List<TopicPartitionEnds>(description.Partitions);
        for (var p = 0; p < description.Partitions; p++)
        {
            var (low, high) = await topic.OffsetsAsync(p, cancellationToken);
            ends.Add(new(p, low, high));
        }
        return ends;
    }

    /// <summary>The lake's positions, of the partitions that it has anything of.</summary>
    public ImmutableSortedDictionary<int, StoredPosition> StoredPositions() =>
        (TopicCommits.Find(options.Streaming.CheckpointLocation, options.Kafka.Topic)?.NewestEntries() ?? [])
            .ToImmutableSortedDictionary(e => e.Partition, e => new StoredPosition(e.State.NextOffset + (e.State.PageEnded ? 1 : 0), e));

    private CaptureStatus? ReadCapture() => new WatermarkFile(options.Streaming).Read() is { } w
        ? new CaptureStatus(w.WindowNumber, w.Horizon?.TakenAt, w.Horizon?.LowerBound, w.Window?.Number, w.Window?.Page ?? 0)
        : null;

    private async Task<ImmutableArray<string>> SourceWarningsAsync(CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var warnings = (await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken)).Warnings();
        var server = await SourceServer.ReadAsync(connection, cancellationToken);
        return server.SeesAllSessions ? warnings : warnings.Add(
            $"role {options.Postgres.User} is no member of pg_read_all_stats, so open transactions of other roles are hidden: " +
            $"a commit later than {options.Postgres.LateCommitSeconds} s is missed; GRANT pg_read_all_stats TO it");
    }

    private static PartitionStatus Join(int partition, TopicPartitionEnds? ends, StoredPosition? stored)
    {
        var next = stored?.NextRecord ?? ends?.Low ?? 0;
        return new PartitionStatus(
            partition, ends?.Low, ends?.High, next, ends is null ? null : Math.Max(0, ends.High - next),
            stored?.Newest.State.Rows ?? 0, stored?.Newest.State.Quarantined ?? 0, stored?.Newest.State.Files ?? 0, stored?.Newest.CommittedAt);
    }

    private static T? Try<T>(Func<T> read, ImmutableArray<string>.Builder problems)
    {
        try
        {
            return read();
        }
        catch (Exception e)
        {
            problems.Add(Describe(e));
            return default;
        }
    }

    private static async Task<T?> TryAsync<T>(Func<Task<T>> read, ImmutableArray<string>.Builder problems, CancellationToken cancellationToken)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            problems.Add(Describe(e));
            return default;
        }
    }

    private static string Describe(Exception e)
    {
        var verdict = FailurePolicy.Judge(e);
        return $"{verdict.Problem} {verdict.Remedy}";
    }
}
