using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.Status;

/// <summary>
/// Reads where everything stands, from the state files, the lake and both servers. It changes nothing anywhere; a server that
/// does not answer soon is reported as down, and the rest is read all the same.
/// </summary>
public sealed class StatusReader(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles,
    ProcessStatus process, FlowHistory history, FailureJournal failures, TimeProvider time)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(4);

    private readonly QuarantineCauses causes = new();
    private DateTime? caughtUpAt;

    public Task<PipelineStatus> ReadAsync(CancellationToken cancellationToken) => ReadAsync(AnswerTimeout, cancellationToken);

    /// <param name="answerTimeout">How long a server may take for each answer.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PipelineStatus> ReadAsync(TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        var problems = new Problems();
        var sourceTask = problems.TryAsync(Part.Source, () => ObserveSourceAsync(answerTimeout, cancellationToken), cancellationToken);
        var topicAnswer = await problems.TryAsync(Part.Topic, () => ObserveTopicAsync(answerTimeout, cancellationToken), cancellationToken);
        var ends = topicAnswer?.Ends ?? [];
        var source = await sourceTask;
        var watermark = problems.Try(Part.State, () => new WatermarkFile(options).Read());
        // Invariant 6, as an observer sees it: capture would stop.
        if (watermark is not null && source is not null) problems.Try(Part.Source, () => watermark.Source.CheckSameTable(source.Identity));
        var lake = problems.Try(Part.State, () => LakeObservation.Read(options, openFiles, causes));

        var capture = watermark is null ? null : CaptureProgress.Describe(watermark, source, caughtUpAt);
        if (capture?.LagSeconds is 0) caughtUpAt = source!.Clock;
        var at = time.GetUtcNow();
        var lakeStatus = lake?.Status ?? new LakeStatus(options.Datalake.Path, Reachable: false, NewestFiles: [], QuarantineCauses: []);
        var partitions = Join(ends, lake?.Positions ?? ImmutableSortedDictionary<int, StoredPosition>.Empty);
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
            Source = source?.Status ?? UnobservedSource(problems),
            Topic = TopicAs(topicAnswer?.Cluster),
            Lake = lakeStatus,
            Capture = capture,
            Partitions = partitions,
            Failures = recent,
            Warnings = Warnings(source, capture),
            Problems = problems.Texts,
            Flow = history.Read(),
        };
    }

    private async Task<SourceObservation> ObserveSourceAsync(TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        using var expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(answerTimeout);
        try
        {
            return await SourceObservation.ReadAsync(options, SourceAs(reachable: true), expiry.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new PipelineException(FailureAction.Retry,
                $"Postgres did not answer within {answerTimeout.TotalSeconds:0} s.",
                "Check postgres.host and postgres.port, and that the server runs.");
        }
    }

    private async Task<(ClusterDescription Cluster, ImmutableArray<TopicPartitionEnds> Ends)?> ObserveTopicAsync(
        TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        var cluster = await admin.DescribeClusterAsync(answerTimeout, cancellationToken);
        return (cluster, await topic.PartitionEndsAsync(cluster.Partitions ?? 0, answerTimeout, cancellationToken));
    }

    /// <summary>A server that answers that something is wrong is reachable.</summary>
    private SourceStatus UnobservedSource(Problems problems) => SourceAs(problems.SourceAnswered);

    private SourceStatus SourceAs(bool reachable)
    {
        var postgres = options.Postgres;
        return new($"{postgres.Schema}.{postgres.Table}", $"{postgres.Host}:{postgres.Port}/{postgres.Db}", reachable);
    }

    private TopicStatus TopicAs(ClusterDescription? cluster) => new(
        options.Kafka.Topic, options.Kafka.Brokers, cluster is not null, cluster?.Version, cluster?.Brokers,
        cluster is null ? null : cluster.Partitions is not null);

    private static ImmutableArray<string> Warnings(SourceObservation? source, CaptureStatus? capture)
    {
        if (source is null) return [];
        return source.Status.Poller is null && capture is not null && capture.LagSeconds is not 0
            ? source.Warnings.Add("nothing captures the table now: no session holds the poller's lock")
            : source.Warnings;
    }

    private static ImmutableArray<PartitionStatus> Join(
        ImmutableArray<TopicPartitionEnds> ends, ImmutableSortedDictionary<int, StoredPosition> positions) =>
    [
        .. positions.Keys.Union(ends.Select(e => e.Partition)).Order()
            .Select(p => Join(p, ends.FirstOrDefault(e => e.Partition == p), positions.GetValueOrDefault(p))),
    ];

    private static PartitionStatus Join(int partition, TopicPartitionEnds? ends, StoredPosition? stored)
    {
        var next = stored?.NextRecord ?? ends?.Low ?? 0;
        var (state, lag) = (stored?.Newest.State, ends is null ? (long?)null : Math.Max(0, ends.High - next));
        return new PartitionStatus(
            partition, ends?.Low, ends?.High, next, lag,
            state?.Rows ?? 0, state?.Quarantined ?? 0, state?.Files ?? 0, stored?.Newest.CommittedAt);
    }

    private enum Part
    {
        Source,
        Topic,
        State,
    }

    /// <summary>What went wrong while reading.</summary>
    private sealed class Problems
    {
        private readonly Lock gate = new();
        private readonly List<(Part Where, FailureVerdict Verdict)> found = [];

        public ImmutableArray<string> Texts => [.. found.Select(f => $"{f.Verdict.Problem} {f.Verdict.Check}")];

        public bool SourceAnswered => found.Exists(f => f.Where == Part.Source && f.Verdict.Action == FailureAction.Stop);

        /// <summary>
        /// A server that is down, or says no, is wrong; files that cannot be read tell nothing, and so does half an answer.
        /// </summary>
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
