using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;

namespace OrdersStream.Status;

/// <summary>
/// Reads where everything stands, from the state files, the lake and both servers. It changes nothing anywhere; a server that
/// does not answer soon is told to be down, and the rest is read all the same.
/// </summary>
public sealed class StatusReader(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, ProcessStatus process, FlowHistory history, FailureJournal failures, TimeProvider time)
{
    private static readonly TimeSpan PagePatience = TimeSpan.FromSeconds(4);

    private readonly QuarantineCauses causes = new();
    private DateTime? caughtUpAt;

    public Task<PipelineStatus> ReadAsync(CancellationToken cancellationToken) => ReadAsync(PagePatience, cancellationToken);

    /// <param name="patience">How long a server may take for each answer.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PipelineStatus> ReadAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var problems = new Problems();
        var sourceTask = problems.TryAsync(Part.Source, () => ObserveSourceAsync(patience, cancellationToken), cancellationToken);
        var seen = await problems.TryAsync(Part.Topic, () => ObserveTopicAsync(patience, cancellationToken), cancellationToken);
        var ends = seen?.Ends ?? [];
        var source = await sourceTask;
        var watermark = problems.Try(Part.State, () => new WatermarkFile(options).Read());
        // Invariant 6, for those who look: capture would stop.
        if (watermark is not null && source is not null) problems.Try(Part.Source, () => watermark.Source.CheckSameTable(source.Identity));
        var lake = problems.Try(Part.State, () => LakeObservation.Take(options, causes));

        var capture = watermark is null ? null : CaptureProgress.Describe(watermark, source, caughtUpAt);
        if (capture?.LagSeconds is 0) caughtUpAt = source!.Clock;
        var positions = lake?.Positions ?? ImmutableSortedDictionary<int, StoredPosition>.Empty;
        var at = time.GetUtcNow();
        var lakeStatus = lake?.Status ?? new LakeStatus(options.Datalake.Path, Reachable: false, NewestFiles: [], QuarantineCauses: []);
        ImmutableArray<PartitionStatus> partitions =
            [.. positions.Keys.Union(ends.Select(e => e.Partition)).Order().Select(p => Join(p, ends.FirstOrDefault(e => e.Partition == p), positions.GetValueOrDefault(p)))];
        history.Add(
            at, capture?.RowsPublished, lakeStatus.Reachable ? lakeStatus.Rows + lakeStatus.Quarantined : null,
            capture?.LagSeconds, ends.IsEmpty ? null : PipelineStatus.LagOf(partitions));
        var recent = failures.Recent;
        return new PipelineStatus
        {
            At = at,
            Stream = options.StreamName,
            Health = problems.Judge(recent),
            Process = process,
            Source = source?.Status ?? UnseenSource(problems),
            Topic = TopicAs(seen?.Cluster),
            Lake = lakeStatus,
            Capture = capture,
            Partitions = partitions,
            Failures = recent,
            Warnings = Warnings(source, capture),
            Problems = problems.Texts,
            Flow = history.Read(),
        };
    }

    private async Task<SourceObservation> ObserveSourceAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(patience);
        try
        {
            return await SourceObservation.TakeAsync(options, SourceAs(reachable: true), expiry.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PipelineException(FailureAction.Retry,
                $"Postgres did not answer within {patience.TotalSeconds:0} s.", "Check postgres.host and postgres.port, and that the server runs.");
        }
    }

    private async Task<(ClusterDescription Cluster, ImmutableArray<TopicPartitionEnds> Ends)?> ObserveTopicAsync(
        TimeSpan patience, CancellationToken cancellationToken)
    {
        var cluster = await admin.DescribeClusterAsync(patience, cancellationToken);
        return (cluster, await topic.PartitionEndsAsync(cluster.Partitions ?? 0, patience, cancellationToken));
    }

    /// <summary>A server that answers that something is wrong is reachable.</summary>
    private SourceStatus UnseenSource(Problems problems) => SourceAs(problems.SourceAnswered);

    private SourceStatus SourceAs(bool reachable) => new(
        $"{options.Postgres.Schema}.{options.Postgres.Table}", $"{options.Postgres.Host}:{options.Postgres.Port}/{options.Postgres.Db}", reachable);

    private TopicStatus TopicAs(ClusterDescription? cluster) => new(
        options.Kafka.Topic, options.Kafka.Brokers, cluster is not null, cluster?.Version, cluster?.Brokers, cluster is null ? null : cluster.Partitions is not null);

    private static ImmutableArray<string> Warnings(SourceObservation? source, CaptureStatus? capture)
    {
        if (source is null) return [];
        return source.Status.Poller is null && capture is not null && capture.LagSeconds is not 0
            ? source.Warnings.Add("nothing captures the table now: no session holds the poller's lock")
            : source.Warnings;
    }

    private static PartitionStatus Join(int partition, TopicPartitionEnds? ends, StoredPosition? stored)
    {
        var next = stored?.NextRecord ?? ends?.Low ?? 0;
        return new PartitionStatus(
            partition, ends?.Low, ends?.High, next, ends is null ? null : Math.Max(0, ends.High - next),
            stored?.Newest.State.Rows ?? 0, stored?.Newest.State.Quarantined ?? 0, stored?.Newest.State.Files ?? 0, stored?.Newest.CommittedAt);
    }

    private enum Part
    {
        Source,
        Topic,
        State,
    }

    /// <summary>What went wrong while looking.</summary>
    private sealed class Problems
    {
        private readonly Lock gate = new();
        private readonly List<(Part Where, FailureVerdict Verdict)> found = [];

        public ImmutableArray<string> Texts => [.. found.Select(f => $"{f.Verdict.Problem} {f.Verdict.Check}")];

        public bool SourceAnswered => found.Exists(f => f.Where == Part.Source && f.Verdict.Action == FailureAction.Stop);

        /// <summary>A server that is down, or says no, is wrong; files that cannot be read tell nothing, and so does half an answer.</summary>
        public Health Judge(ImmutableArray<FailureNote> failures) =>
            found.Exists(f => f.Where != Part.State) || failures.Any(f => !f.Over) ? Health.Wrong
            : found.Count > 0 ? Health.Unknown
            : Health.Well;

        public void Try(Part where, Action check) => Try(where, () =>
        {
            check();
            return true;
        });

        public T? Try<T>(Part where, Func<T> read)
        {
            try
            {
                return read();
            }
            catch (Exception e)
            {
                Add(where, e);
                return default;
            }
        }

        public async Task<T?> TryAsync<T>(Part where, Func<Task<T>> read, CancellationToken cancellationToken)
        {
            try
            {
                return await read();
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                Add(where, e);
                return default;
            }
        }

        private void Add(Part where, Exception failure)
        {
            lock (gate) found.Add((where, FailurePolicy.Judge(failure)));
        }
    }
}
