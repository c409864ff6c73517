using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.ExceptionServices;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Store;

namespace OrdersStream.Status;

/// <summary>
/// Reads where everything stands, from the state files, the lake, both servers, and what the halves leave of themselves. It changes nothing
/// anywhere; a server that does not answer soon is reported as down, and the rest is read all the same.
/// </summary>
public sealed class StatusReader
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan ClocksDifferMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstAuditMax = TimeSpan.FromDays(14);

    private readonly PipelineOptions options;
    private readonly Func<string, ILakeFiles> openFiles;
    private readonly ProcessStatus process;
    private readonly Func<IReadOnlyList<Heartbeat>> own;
    private readonly Func<AuditReport?> audit;
    private readonly FlowHistory history;
    private readonly FailureJournal failures;
    private readonly TimeProvider time;
    private readonly TopicObserver topic;
    private readonly QuarantineCauses causes = new();
    private readonly FolderReading folders = new();
    private readonly WaitingLake lakeWaits = new();
    private DateTime? caughtUpAt;

    /// <param name="options">The stream's configuration.</param>
    /// <param name="admin">Asks the brokers.</param>
    /// <param name="topic">Asks the topic.</param>
    /// <param name="openFiles">What lies at a location of the configuration.</param>
    /// <param name="process">The process that answers.</param>
    /// <param name="own">The halves that it runs: their files may be those that cannot be written.</param>
    /// <param name="audit">What the standing audit has left of itself; null: nothing.</param>
    /// <param name="history">Where rates and lags are kept.</param>
    /// <param name="failures">What failed in this process.</param>
    /// <param name="time">The clock.</param>
    internal StatusReader(
        PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles, ProcessStatus process,
        Func<IReadOnlyList<Heartbeat>> own, Func<AuditReport?> audit, FlowHistory history, FailureJournal failures, TimeProvider time)
    {
        (this.options, this.openFiles, this.process, this.own, this.audit) = (options, openFiles, process, own, audit);
        (this.history, this.failures, this.time) = (history, failures, time);
        this.topic = new TopicObserver(options, admin, topic, time);
    }

    public Task<PipelineStatus> ReadAsync(CancellationToken cancellationToken) => ReadAsync(AnswerTimeout, cancellationToken);

    /// <param name="answerTimeout">How long a server may take for each answer.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<PipelineStatus> ReadAsync(TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        var problems = new Problems();
        var sourceTask = problems.TryAsync(Part.Source, () => ObserveSourceAsync(answerTimeout, cancellationToken), cancellationToken);
        var observed = await problems.TryAsync(Part.Topic, () => topic.ReadAsync(answerTimeout, cancellationToken), cancellationToken);
        var source = await sourceTask;
        var identity = observed?.Cluster.Topic;
        var (file, streaming) = (new WatermarkFile(options), options.Streaming);
        var state = await problems.TryAsync(
            Part.State, () => InFolderAsync(streaming.LastProcessedTimestampLocation, () => ReadState(file)), cancellationToken);
        var watermark = state is null ? null : problems.Try(Part.State, state.Watermark);
        var stored = await problems.TryAsync(
            Part.State, () => InFolderAsync(streaming.CheckpointLocation, () => Written(nameof(KafkaToLake))), cancellationToken);
        var (capturing, storing) = (BeatsOf(nameof(PostgresToKafka), state?.Beats), BeatsOf(nameof(KafkaToLake), stored));
        var lake = await problems.TryAsync(
            Part.Lake, () => folders.ReadAsync(
                options.Datalake.Path, () => LakeObservation.ReadAsync(options, identity, openFiles, causes, cancellationToken),
                answerTimeout, cancellationToken),
            cancellationToken);
        var isLost = watermark is null && lake is { IsEmpty: false } && state is { MovedAt: null };
        if (isLost) problems.Add(Part.State, WatermarkGone(file.Path));
        CheckIdentities(problems, watermark, file.Path, source, observed?.Cluster, lake);

        // Whoever stands at a later time than the database saw another clock.
        var captured = capturing.Select(b => b.CapturedUpTo).Append(caughtUpAt).Where(c => source is null || c <= source.Clock).Max();
        var capture = watermark is null ? null : CaptureProgress.Describe(watermark, source, captured);
        if (capture?.HeldBack is { } heldBack) problems.Add(Part.Capture, HeldBack(heldBack));
        foreach (var hidden in (observed?.Hidden ?? []).Take(1))
            problems.Add(Part.Topic, new PipelineException(hidden.ToVerdict(options.Kafka.Topic)));
        caughtUpAt = capture?.LagSeconds is 0 ? source!.Clock : captured;
        var audited = state is null ? null : problems.Try(Part.State, state.Audit);
        if (lake?.LateBegin is { } begin && !(audited?.Last?.ComparedAt > begin.BegunAt)) problems.Add(Part.State, BeginsLate(begin));
        // Where it is off, nobody finds that it was mended.
        var compared = options.Audit.IsEnabled ? audited : null;
        if (compared is { Last: { NeedsHelp: true } differs }) problems.Add(Part.Audit, Differ(differs));
        if (compared is { IsOverdue: true }) problems.Add(Part.State, NotCompared(compared));
        if (compared is { Last.CannotBeTold: true }) problems.Add(Part.State, OrderInDoubt());
        if (NeverAudits(watermark, audited, lake, time.GetUtcNow())) problems.Add(Part.State, NotCompared(new(null, null, true)));
        var leftOut = state is null ? 0 : problems.Try(Part.State, state.LeftOut);
        var partitions = await topic.JoinAsync(observed, lake?.Positions, answerTimeout, cancellationToken);

        var at = time.GetUtcNow();
        var judge = new HalfJudge(options.LagMax, at);
        var toCapture = ForCapture(capture, isLost || state is not { MovedAt: null }) with { MovedAt = state?.MovedAt };
        // Others' commits on the same server look the same as those of the table, and nobody is there who would look.
        if (toCapture.Waits is true && source is { Status.Poller: null } && !capturing.Any(b => b.IsAlive(at)))
            toCapture = await WithRowsAsync(toCapture, watermark!, answerTimeout, cancellationToken);
        var toStore = ForStore(observed, partitions, at);
        ImmutableArray<HalfStatus> halves =
        [
            judge.Judge(
                nameof(PostgresToKafka), capturing, toCapture, source?.Status.Poller is { } p ? HolderOf(p) : null),
            judge.Judge(nameof(KafkaToLake), storing, toStore) with { LagSecondsMin = lakeWaits.AtLeast(toStore, partitions, at) },
        ];
        var lakeStatus = lake?.Status ?? new LakeStatus(options.Datalake.Path, Reachable: false, NewestFiles: [], QuarantineCauses: []);
        var recent = failures.Recent;
        var health = problems.Judge(recent, halves);
        history.Add(new(
            at, capture?.RowsPublished, lakeStatus.Reachable ? lakeStatus.Rows + lakeStatus.Quarantined : null,
            capture?.LagSeconds, PipelineStatus.LagOf(partitions), toStore.Seconds, health)
        {
            // What is not flowing takes no time.
            LatencySeconds = history.IsFlowing ? Took(capturing, at) + Took(storing, at) : null,
        });
        return new PipelineStatus
        {
            At = at,
            Stream = options.StreamName,
            Health = health,
            Process = process,
            Source = source?.Status ?? SourceAs(problems.SourceAnswered),
            Topic = topic.Describe(observed?.Cluster),
            Lake = lakeStatus,
            Capture = capture,
            Audit = compared?.Last,
            Halves = halves,
            Partitions = partitions,
            Failures = recent,
            Warnings = [.. Warnings(source), .. leftOut > 0 ? [LeftOut(leftOut)] : Array.Empty<string>(), .. WarningsOf(compared),
                .. WarningsOf(lake)],
            Findings = problems.Findings,
            LagMaxSeconds = options.LagMax.TotalSeconds,
            Flow = history.Read(),
        };

        Task<T> InFolderAsync<T>(string folder, Func<T> read) =>
            folders.ReadAsync(folder, () => Task.FromResult(read()), answerTimeout, cancellationToken);
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

    /// <summary>
    /// What capture's state folder holds: heartbeats, when the watermark file was written, which is with each page (null: there is none),
    /// and what is in it. Each part of it is a value or a failure, of which the others know nothing.
    /// </summary>
    private sealed record CaptureState(
        IReadOnlyList<Heartbeat> Beats, DateTimeOffset? MovedAt, Func<Watermark?> Watermark, Func<AuditReport?> Audit, Func<int> LeftOut);

    private CaptureState ReadState(WatermarkFile file) => new(
        Written(nameof(PostgresToKafka)), File.Exists(file.Path) ? File.GetLastWriteTimeUtc(file.Path) : null,
        Outcome(file.Read), Outcome(audit), Outcome(() => TooLargeRows.CountIn(options.Streaming)));

    private static Func<T> Outcome<T>(Func<T> read)
    {
        try
        {
            var value = read();
            return () => value;
        }
        catch (Exception e)
        {
            var failure = ExceptionDispatchInfo.Capture(e);
            return () =>
            {
                failure.Throw();
                return default!;
            };
        }
    }

    /// <summary>Of this process what it knows itself, of others what they wrote.</summary>
    private IReadOnlyList<Heartbeat> BeatsOf(string half, IReadOnlyList<Heartbeat>? written)
    {
        var known = own().Where(b => b.Half == half).ToList();
        return [.. known, .. (written ?? []).Where(b => known.TrueForAll(k => k.Id != b.Id))];
    }

    // That nobody can be seen is told by the half's own state.
    private IReadOnlyList<Heartbeat> Written(string half)
    {
        try
        {
            return new HeartbeatFolder(options, half).Read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Invariant 6, as an observer sees it: a half would stop.</summary>
    private void CheckIdentities(
        Problems problems, Watermark? watermark, string path, SourceObservation? source, ClusterDescription? cluster, LakeObservation? lake)
    {
        if (watermark is not null && source is not null) problems.Try(Part.Source, () => watermark.Source.CheckSameTable(source.Identity));
        if (watermark is not null && cluster?.Topic is { } present)
            problems.Try(Part.Topic, () => WatermarkRecovery.CheckTopic(path, watermark.Topic, present));
        if (cluster is { Partitions: null } && (watermark is not null || lake is { IsEmpty: false }))
            problems.Add(Part.Topic, new PipelineException(FailureAction.Stop,
                $"Topic '{options.Kafka.Topic}' is not there any more, or this user may not describe it.",
                "If the user lost that right, grant it DESCRIBE on the topic. If kafka.brokers leads to another cluster, correct it. If "
                + "the topic was deleted, its records are gone, and one that is made anew is another: start a new stream."));
    }

    /// <summary>What waits for capture, where it is asked of the table itself.</summary>
    private async Task<Backlog> WithRowsAsync(
        Backlog backlog, Watermark watermark, TimeSpan answerTimeout, CancellationToken cancellationToken)
    {
        if (watermark is not { Window: null, Horizon: { HeldBack: null } horizon }) return backlog;
        using var expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(answerTimeout);
        try
        {
            return await SourceObservation.HasMoreAsync(options, horizon, expiry.Token) switch
            {
                true => backlog with { Text = "rows of the table, or deletes, wait" },
                false => new(false, 0, "no row of the table waits, and no delete"),
                null => backlog,
            };
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // A large table without an index; what else is wrong with the source was said.
            return backlog with { Waits = null };
        }
    }

    private static PipelineException WatermarkGone(string path) => new(FailureAction.Retry,
        $"The watermark file {path} is gone, and the lake has rows: how far capture has got cannot be told.",
        "Capture finds its position at the topic's end when it starts, and writes the file again once something was committed. "
        + "Where capture has a folder of its own, its status is to be asked for there.");

    private SourceStatus SourceAs(bool reachable)
    {
        var postgres = options.Postgres;
        return new($"{postgres.Schema}.{postgres.Table}", $"{postgres.Host}:{postgres.Port}/{postgres.Db}", reachable);
    }

    private static LockHolder HolderOf(PollerStatus p) =>
        new($"session {p.Pid} of the source ({p.Application}), which holds the poller's lock,", p.Since);

    private static Backlog ForCapture(CaptureStatus? capture, bool hasBegun) => capture switch
    {
        null when hasBegun => new(null, null, "how far it has got cannot be told"),
        null => new(null, null, "nothing was captured yet") { IsFirst = true },
        { LagSeconds: 0 } => new(false, 0, "all that was committed is in the topic"),
        { LagSeconds: { } lag, CapturedUpTo: { } upTo } => new(true, lag, string.Create(
            CultureInfo.InvariantCulture, $"what was committed since {upTo:yyyy-MM-dd HH:mm:ss} is not known to be in the topic")),
        { Window: { } window } => new(true, null, $"{window.Kind} in progress") { IsUntimed = true },
        { HeldBack: not null } => new(true, null, "rows are held back") { IsUntimed = true },
        _ => new(null, null, "what was committed since cannot be told"),
    };

    private Backlog ForStore(TopicObservation? observed, ImmutableArray<PartitionStatus> partitions, DateTimeOffset now)
    {
        if (observed is { Ends.IsEmpty: true }) return new(false, 0, "there is no topic yet");
        if (PipelineStatus.LagOf(partitions) is not { } lag) return new(null, null, "what waits in the topic cannot be told");
        if (lag == 0) return new(false, 0, "the lake has all that is in the topic");
        var waiting = partitions.Where(p => p.Lag > 0).Select(p => p.WaitsSince).ToList();
        var seconds = waiting.Contains(null) ? null : (double?)(now - waiting.Min()!.Value).TotalSeconds;
        // By a producer's clock, which may be a little ahead; one that is far ahead tells nothing.
        if (seconds is < 0 and var ahead) seconds = ahead < -ClocksDifferMax.TotalSeconds ? null : 0;
        return new(true, seconds, string.Create(CultureInfo.InvariantCulture, $"{lag:N0} records wait in the topic"))
        {
            Collected = TimeSpan.FromSeconds(options.Streaming.BatchInterval) * BatchTiming.BacklogIntervals,
        };
    }

    /// <summary>By whoever of several was slowest with what it did last.</summary>
    private static double? Took(IReadOnlyList<Heartbeat> beats, DateTimeOffset now) =>
        beats.Where(b => b.IsAlive(now)).Max(b => b.TookSeconds);

    private static ImmutableArray<string> Warnings(SourceObservation? source)
    {
        if (source is null) return [];
        return source.Status.HiddenTransaction is not { } hidden
            ? source.Warnings
            : source.Warnings.Add(
                $"session {hidden.Pid} ({hidden.Application}), there for {hidden.Seconds:0} s, does not show when its transaction began: "
                + "until it ends, each window reads as far back as the last one before it");
    }

    private static IEnumerable<string> WarningsOf(LakeObservation? lake) =>
        lake is null ? [] : lake.MissingPages.Select(missing => string.Create(CultureInfo.InvariantCulture,
            $"partition {missing.Partition}: whole pages that were published are nowhere in the topic; places so far: {missing.Places}. "
            + $"'verify' says whether the lake lacks rows by it; to hear no more of these places, create the empty file "
            + $"'{missing.MarkerPath}'"));

    private IEnumerable<string> WarningsOf(AuditReport? audit)
    {
        // Who wants no deletes has such rows, and knows it.
        var extra = options.Postgres.Deletes == "off" ? 0 : audit?.Last?.Extra ?? 0;
        if (audit?.Last is { NeedsHelp: false, CannotBeTold: false } last && last.Differences + extra > 0)
            yield return $"audit: {last.Says}"
                + (last.Differences > 0
                    ? "; what was missing or stale is published again, and the next round says whether it was of use" : "")
                + (extra > 0 ? "; what is extra was deleted, unless the lake or the table is another's: 'verify' tells, and 'repair' "
                    + "publishes it as deleted (see postgres.deletes)" : "");
        if (audit?.Last is { Lost: > 0 and var lost })
            yield return string.Create(CultureInfo.InvariantCulture,
                $"audit: {lost:N0} row versions that the commit log has are in no file of the lake: files are gone. Put them back from a "
                + $"backup, or 'repair --accept-lost' accepts it");
        if (audit is { Failure: { } failure, IsOverdue: false })
            yield return $"audit: {(audit.Last is null ? "the first" : "a later")} round was broken off: {failure}";
    }

    /// <summary>Whoever captures leaves nothing of an audit, long after the lake was begun.</summary>
    private bool NeverAudits(Watermark? watermark, AuditReport? audited, LakeObservation? lake, DateTimeOffset now) =>
        options.Audit.IsEnabled && audited is null && watermark is { Horizon: not null, Rows: > 0 } && lake?.BegunAt is { } begun
        && now - begun > TimeSpan.FromSeconds(options.Audit.Interval) + FirstAuditMax;

    private static PipelineException NotCompared(AuditReport audit) => new(FailureAction.Retry,
        $"Lake and table were {(audit.Last is { } last ? $"last compared at {Clock(last.ComparedAt)}" : "never compared")}: "
        + $"no round of the audit has come to its end since. {audit.Failure}",
        "'verify' compares them now. The log of the process that captures says what breaks rounds off, if that does; else see that "
        + "audit.enabled is true there, and that it runs for as long as a round takes (audit.share).");

    private static PipelineException OrderInDoubt() => new(FailureAction.Retry,
        "Whether lake and table are equal cannot be told: a collation of the key is of another version than its indexes, by which the "
        + "audit's last round may have passed rows over.",
        "REINDEX the table as check says; the next round tells, or 'repair', which compares now.");

    private static PipelineException BeginsLate(LateBegin begin) => new(FailureAction.Retry,
        $"This lake begins at offset {begin.Offset} of partition {begin.Partition}: rows of before are missing, unless they were captured "
        + "again, and lake and table were not compared since.",
        "Where another lake should be mounted here, mount it and start again. Else wait for a round of the audit, or 'repair', which "
        + "publishes what is missing again, and compares.");

    private static PipelineException Differ(AuditStatus audit) => new(FailureAction.Retry,
        $"Lake and table differed when they were compared at {Clock(audit.ComparedAt)}: {audit.Says}"
        + (audit.DifferingRounds >= 2 ? $", in {audit.DifferingRounds} rounds one after the other" : "")
        + (audit.DeletesHeld is { } why ? $"; extra rows are not published as deleted, since {why}" : "") + ".",
        (audit.StoredTwice + audit.Misplaced, audit.DeletesRemedy) switch
        {
            (> 0, _) => "'verify' names files whose rows are stored twice, and those that lie in a wrong folder: move the copy away, the "
                + "others back. Then 'repair', which publishes what is missing or stale again, and compares.",
            (_, { } remedy) => remedy
                + (audit.Missing + audit.Stale > 0 ? " 'repair' publishes what is missing or stale again, and compares." : ""),
            _ => "'verify' compares them now; 'repair' publishes what is missing or stale again, as deleted what only the lake has, "
                + "and compares."
                + (audit.DifferingRounds >= 2 ? " Find what the log gives as the cause: it goes on." : ""),
        });

    private static string Clock(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private PipelineException HeldBack(HeldBackStatus heldBack) => new(FailureAction.Retry,
        $"Committed rows are held back: more than {options.Postgres.SeenTransactions} transactions were committed behind one that is "
        + (heldBack.By is { } by ? $"{by}." : "not named."),
        "They are published when it ends; or raise postgres.seen_transactions and start again.");

    private string LeftOut(int rows)
    {
        var (were, are, them) = rows == 1 ? (" was", "is", "it") : ("s were", "are", "them");
        return $"{rows} row version{were} too large for a record, and {are} kept in '{TooLargeRows.FolderOf(options.Streaming)}': "
            + $"the lake does not have {them}";
    }
}
