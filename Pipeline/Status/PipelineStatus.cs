using System.Collections.Immutable;
using System.Globalization;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.Status;

/// <summary>The one word for where everything stands; also the exit code of <c>status</c>.</summary>
public enum Health
{
    /// <summary>Both ends and all between can be seen, and nothing is wrong.</summary>
    Well = 0,
    /// <summary>Something needs a human, or lasts.</summary>
    Wrong = 1,
    /// <summary>A part could not be read.</summary>
    Unknown = 2,
}

/// <summary>Where everything stands. What could not be read is null, and <see cref="Problems"/> says why.</summary>
public sealed record PipelineStatus
{
    public required DateTimeOffset At { get; init; }

    /// <summary>Whose status it is.</summary>
    public string Stream { get; init; } = "";
    public Health Health { get; init; }
    public required ProcessStatus Process { get; init; }
    public required SourceStatus Source { get; init; }
    public required TopicStatus Topic { get; init; }
    public required LakeStatus Lake { get; init; }
    public CaptureStatus? Capture { get; init; }

    /// <summary>The last whole round of the standing audit, as capture's state folder has it; null: there was none.</summary>
    public AuditStatus? Audit { get; init; }

    /// <summary>Who does the work, whatever process answers: capture, then storing.</summary>
    public ImmutableArray<HalfStatus> Halves { get; init; } = [];
    public ImmutableArray<PartitionStatus> Partitions { get; init; } = [];
    public required FlowStatus Flow { get; init; }

    /// <summary>The last failures of the process that answers, the newest last.</summary>
    public ImmutableArray<FailureNote> Failures { get; init; } = [];

    /// <summary>Odd, nothing lost.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>What is wrong, each in words with what is to be done.</summary>
    public ImmutableArray<string> Problems => [.. Findings.Select(f => $"{f.Problem} {f.Remedy}")];

    /// <summary>The same, with problem and remedy apart.</summary>
    public ImmutableArray<StatusFinding> Findings { get; init; } = [];

    /// <summary>A half that is further behind is not well.</summary>
    public double? LagMaxSeconds { get; init; }

    /// <summary>Offsets of the topic that the lake has not; null while the topic's ends, or the lake's positions, are unknown.</summary>
    public long? Lag => LagOf(Partitions);

    /// <summary>Offsets of the topic that a transaction hides, so that nobody can tell whether records wait there.</summary>
    public long Hidden => Partitions.Sum(p => p.Hidden);

    /// <summary>What the halves of the process that answers cannot do without, and cannot reach.</summary>
    internal IEnumerable<string> OutOfReach()
    {
        if (!Source.Reachable && Process.Halves.Contains(nameof(PostgresToKafka))) yield return "Postgres";
        if (!Topic.Reachable) yield return "Kafka";
        if (!Lake.Reachable && Process.Halves.Contains(nameof(KafkaToLake))) yield return "the lake";
    }

    internal static long? LagOf(ImmutableArray<PartitionStatus> partitions) =>
        partitions.IsEmpty || partitions.Any(p => p.Lag is null) ? null : partitions.Sum(p => p.Lag);
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Part">What of the stream it was met at: source, topic, capture, lake, audit, state.</param>
/// <param name="Problem">What failed, and the value seen.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record StatusFinding(string Part, string Problem, string Remedy);

/// <summary>The process that answers.</summary>
/// <param name="Host">Program: LocalHost or FunctionApp.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Halves">The halves that it runs itself: PostgresToKafka, KafkaToLake, both or none.</param>
public sealed record ProcessStatus(string Host, DateTimeOffset StartedAt, ImmutableArray<string> Halves);

/// <summary>Whether a half is at work.</summary>
public enum HalfState
{
    /// <summary>Somebody runs it.</summary>
    Running,
    /// <summary>Somebody would, and waits for another instance to end.</summary>
    StandingBy,
    /// <summary>It tries again what failed.</summary>
    Retrying,
    /// <summary>It failed in a way that needs a human.</summary>
    Stopped,
    /// <summary>Its process is there, and is not heard of.</summary>
    Silent,
    /// <summary>Nobody runs it.</summary>
    Nobody,
}

/// <summary>A half, by what those who run it leave of themselves, and by what waits for it.</summary>
/// <param name="Name">PostgresToKafka or KafkaToLake.</param>
/// <param name="Health">What that means for the stream.</param>
/// <param name="Says">Who it is, and what to do about it, in words.</param>
/// <param name="Since">Since when it runs, tries again or stands still; null: not known.</param>
/// <param name="LagSeconds">For how long the oldest of what waits for it has; null: not known.</param>
public sealed record HalfStatus(string Name, HalfState State, Health Health, string Says, DateTimeOffset? Since, double? LagSeconds)
{
    /// <summary>What to do about it, with which what it says ends; null: nothing, or it stands in the midst of it.</summary>
    public string? Remedy { get; init; }

    /// <summary>
    /// Where that cannot be told: for how long the oldest at least has that waited when it last could, and waits still; null: nothing is
    /// known of any.
    /// </summary>
    public double? LagSecondsMin { get; init; }
}

/// <summary>The source database, as it answers now.</summary>
/// <param name="Table">Schema and table.</param>
/// <param name="Address">Host, port and database.</param>
/// <param name="Reachable">Whether it answered.</param>
/// <param name="Version">Version of the server; null: not reachable.</param>
/// <param name="Rows">Rows of the table as the planner estimates them; null: never analyzed, or not reachable.</param>
/// <param name="CaptureIsExact">True: late commits are found however late. False: up to a fixed delay. Null: not reachable.</param>
/// <param name="CaptureMode">The same in words, with the reason.</param>
/// <param name="Poller">Who holds the poller's lock; null: nobody.</param>
/// <param name="OldestTransaction">What holds the next window's lower bound back; null: nothing.</param>
/// <param name="HiddenTransaction">
/// One that does not show when it began, while which that bound stands still; of several the one of the oldest session. Null: none.
/// </param>
public sealed record SourceStatus(
    string Table, string Address, bool Reachable, string? Version = null, long? Rows = null,
    bool? CaptureIsExact = null, string? CaptureMode = null, PollerStatus? Poller = null, OpenTransaction? OldestTransaction = null,
    OpenTransaction? HiddenTransaction = null);

/// <summary>The session that holds the poller's lock.</summary>
public sealed record PollerStatus(int Pid, string Application, string? ClientAddress, DateTime Since);

/// <summary>A transaction at the source that holds something back.</summary>
/// <param name="Kind">"open", "prepared" or "hidden".</param>
/// <param name="StartedAt">Since when (prepared: when it was prepared; hidden: when its session began).</param>
/// <param name="Seconds">For how long, by the database's clock.</param>
/// <param name="Pid">Its session; null: prepared, so it has none.</param>
/// <param name="Application">Name that the session gives itself; null: prepared.</param>
public sealed record OpenTransaction(string Kind, DateTime StartedAt, double Seconds, int? Pid, string? Application)
{
    /// <summary>In words.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Kind} for {Seconds:N0} s{(Pid is { } pid ? $", session {pid} ({Application})" : "")}");
}

/// <summary>The topic and its brokers, as they answer now.</summary>
/// <param name="Brokers">Bootstrap addresses, as configured.</param>
/// <param name="Reachable">Whether a broker answered.</param>
/// <param name="Version">What the brokers say of their version; null: they do not say, or are not reachable.</param>
/// <param name="BrokerCount">Brokers in the cluster.</param>
/// <param name="Exists">Whether the topic is there; null: not reachable.</param>
public sealed record TopicStatus(
    string Name, string Brokers, bool Reachable, string? Version = null, int? BrokerCount = null, bool? Exists = null);

/// <summary>The last whole round of the standing audit.</summary>
/// <param name="ComparedAt">When it began: of what was captured before, it knows.</param>
/// <param name="AgeSeconds">How long ago that was.</param>
/// <param name="Rows">Rows of the table that were compared.</param>
/// <param name="OnTheWay">Rows of it that were not due in the lake yet, and were not compared.</param>
/// <param name="Missing">Captured, and not in the lake.</param>
/// <param name="Stale">The lake's newest version was not the table's.</param>
/// <param name="Extra">In the lake and not in the table: deleted.</param>
/// <param name="StoredTwice">Offsets of the topic that were in the lake more than once.</param>
/// <param name="Requested">Of the missing and stale ones, those that are published again.</param>
/// <param name="Unmended">Those that had been published again before, and differed as they did.</param>
/// <param name="Failure">What broke a later round off; null: nothing.</param>
/// <param name="DifferingRounds">Rounds, one after the other and this one among them, that found rows missing or stale.</param>
/// <param name="DeletesHeld">Why what is extra is not published as deleted, though it may be; null: it is, or is not to be.</param>
public sealed record AuditStatus(
    DateTimeOffset ComparedAt, double AgeSeconds, long Rows, long OnTheWay, long Missing, long Stale, long Extra, long StoredTwice,
    long Requested, long Unmended, string? Failure, int DifferingRounds = 0, string? DeletesHeld = null)
{
    /// <summary>Row versions that the commit log has and the lake's files have not, and that nobody has accepted as lost.</summary>
    public long Lost { get; init; }

    /// <summary>
    /// Rows may have been passed over, by indexes that are in another order than is searched by, and nothing else differs: whether all are
    /// equal was not seen.
    /// </summary>
    public bool CannotBeTold { get; init; }

    /// <summary>Row versions in files that lie in another folder than their rows belong in.</summary>
    public long Misplaced { get; init; }

    /// <summary>Extra rows that are not published as deleted, though deletes of the table are captured: these went past.</summary>
    public long ExtraUnasked { get; init; }

    /// <summary>What is to be done where deletes are held.</summary>
    internal string? DeletesRemedy { get; init; }

    /// <summary>Rows, or offsets, that were not as they should be. Deleted rows that no trigger wrote down are none of them.</summary>
    public long Differences => Missing + Stale + StoredTwice + Misplaced;

    /// <summary>What it found, in words.</summary>
    public string Says => (Differences + Extra, Rows, OnTheWay) switch
    {
        _ when CannotBeTold => "whether lake and table are equal cannot be told",
        (0, 0, > 0) => "no row could be compared",
        (0, _, _) => string.Create(CultureInfo.InvariantCulture, $"{Rows:N0} rows were compared, and lake and table are equal"),
        _ => string.Create(
            CultureInfo.InvariantCulture,
            $"of {Rows:N0} rows {Missing:N0} were missing and {Stale:N0} stale in the lake, {Extra:N0} were extra, "
            + $"{StoredTwice:N0} stored twice{Wrongly}"),
    };

    private string Wrongly => Misplaced == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {Misplaced:N0} in a wrong folder");

    /// <summary>
    /// It was seen, and nobody mends it; or what was published again was of no use, or not for long, since the next round found rows, too.
    /// </summary>
    internal bool NeedsHelp => !CannotBeTold
        && (StoredTwice + Misplaced + Unmended + ExtraUnasked > 0 || Missing + Stale > Requested || DifferingRounds >= 2
            || DeletesHeld is not null);
}

/// <summary>What the standing audit has left of itself.</summary>
/// <param name="Last">The last whole round; null: there was none.</param>
/// <param name="Failure">What broke a later one off; null: nothing.</param>
/// <param name="IsOverdue">That goes on for so long that what was found before tells nothing of now.</param>
internal sealed record AuditReport(AuditStatus? Last, string? Failure, bool IsOverdue);

/// <summary>The lake, from its commit log and files.</summary>
/// <param name="Path">Folder of the files.</param>
/// <param name="Reachable">Whether folder and commit log could be read.</param>
/// <param name="Rows">Rows stored.</param>
/// <param name="Files">Files written.</param>
/// <param name="Quarantined">Records in quarantine.</param>
/// <param name="NewestFiles">The newest files, the newest first.</param>
/// <param name="QuarantineCauses">Why records are in quarantine; of the newest files of it, where there are many.</param>
/// <param name="Dropped">Records of pages that were sent again or not finished, which do not count.</param>
public sealed record LakeStatus(
    string Path, bool Reachable, long Rows = 0, long Files = 0, long Quarantined = 0,
    ImmutableArray<LakeFileStatus> NewestFiles = default, ImmutableArray<QuarantineCause> QuarantineCauses = default,
    long Dropped = 0);

/// <summary>A file of the lake.</summary>
/// <param name="Path">Relative to the lake's folder.</param>
/// <param name="Partition">Partition of the topic whose records it holds.</param>
public sealed record LakeFileStatus(string Path, int Partition, long Rows, long Bytes, DateTimeOffset CommittedAt);

/// <summary>One cause of quarantine.</summary>
public sealed record QuarantineCause(string Reason, long Records);

/// <summary>Where PostgresToKafka stands, as the watermark file says.</summary>
/// <param name="WindowsTaken">Number of the last window taken.</param>
/// <param name="RowsPublished">Row versions published in the stream's life.</param>
/// <param name="CapturedUpTo">
/// Everything that was committed before is published; null: the initial load is not done, or rows of it are held back.
/// </param>
/// <param name="NextFrom">The next window reads rows from here on, by the ordering column; null: from the beginning.</param>
/// <param name="Window">The window in progress; null: none.</param>
/// <param name="LagSeconds">
/// How long ago the oldest change may have been committed that is not published: 0 where nothing was committed since; null while the
/// source is not reachable or the initial load is not done.
/// </param>
/// <param name="HeldBack">Committed rows that are not published, and will not be before a transaction ends; null: none.</param>
public sealed record CaptureStatus(
    long WindowsTaken, long RowsPublished, DateTime? CapturedUpTo, DateTime? NextFrom, WindowStatus? Window, double? LagSeconds = null,
    HeldBackStatus? HeldBack = null);

/// <summary>
/// More transactions were committed behind one that is open than are remembered (postgres.seen_transactions): their rows are held back.
/// </summary>
/// <param name="Since">Of what was committed before, nothing is; null: that cannot be told.</param>
/// <param name="By">The transaction that is open; null: it has ended meanwhile, or the source cannot be asked.</param>
public sealed record HeldBackStatus(DateTime? Since, OpenTransaction? By);

/// <summary>A window that is not published whole.</summary>
/// <param name="Kind">"initial load", "changes" or "reread".</param>
/// <param name="Pages">Pages of it that are published.</param>
/// <param name="Rows">Rows of it that are published.</param>
/// <param name="RowsExpected">Rows of the table as the planner estimates them, for an initial load; else null.</param>
/// <param name="Progress">0 to 1; null: unknown.</param>
/// <param name="StartedAt">When it was taken.</param>
/// <param name="RowsPerSecond">Since then; null: nothing was published yet.</param>
/// <param name="SecondsLeft">At that rate; null: unknown.</param>
public sealed record WindowStatus(
    long Number, string Kind, int Pages, long Rows, long? RowsExpected, double? Progress,
    DateTime StartedAt, double? RowsPerSecond, double? SecondsLeft);

/// <summary>One partition: the topic's ends and the lake's position.</summary>
/// <param name="Partition">Its number.</param>
/// <param name="Low">First offset that Kafka keeps; null: unknown.</param>
/// <param name="High">End of what is committed; null: unknown.</param>
/// <param name="Next">Next offset that the lake has not; null: unknown.</param>
/// <param name="Lag">Offsets that wait in Kafka, 0 where no record is among them; null: unknown.</param>
/// <param name="Rows">Rows stored.</param>
/// <param name="Quarantined">Records in quarantine.</param>
/// <param name="Files">Files written.</param>
/// <param name="CommittedAt">Time of the last commit.</param>
/// <param name="Hidden">Offsets behind the end of what is committed, which a transaction hides that does not end.</param>
public sealed record PartitionStatus(
    int Partition, long? Low, long? High, long? Next, long? Lag, long Rows, long Quarantined, long Files, DateTimeOffset? CommittedAt,
    long Hidden = 0)
{
    /// <summary>When the oldest record that waits was sent; null: none waits, or it is not known.</summary>
    public DateTimeOffset? WaitsSince { get; init; }
}

/// <summary>Rates and lags over the last hour, as this process saw them, and those before it where that was kept.</summary>
/// <param name="SeenBy">"process": it samples by itself, all the time. "requests": only when somebody asks.</param>
/// <param name="Since">Its first sample.</param>
/// <param name="PublishedPerSecond">Rows to Kafka over the last minute, 0 where none came lately; null: it cannot be told.</param>
/// <param name="StoredPerSecond">Rows to the lake, likewise.</param>
/// <param name="Samples">The oldest first.</param>
public sealed record FlowStatus(
    string SeenBy, DateTimeOffset? Since, double? PublishedPerSecond, double? StoredPerSecond, ImmutableArray<FlowSample> Samples)
{
    /// <summary>When rows were last seen to have come to Kafka; null: in the last hour none were.</summary>
    public DateTimeOffset? LastPublishedAt { get; init; }

    /// <summary>The same of the lake.</summary>
    public DateTimeOffset? LastStoredAt { get; init; }
}

/// <summary>What one sample saw. Rates are since the sample before.</summary>
/// <param name="CaptureLagSeconds">As in <see cref="CaptureStatus"/>.</param>
/// <param name="LakeLagRecords">Offsets that wait in Kafka.</param>
/// <param name="LakeLagSeconds">How long ago the oldest of them was sent.</param>
/// <param name="Health">The verdict of that moment.</param>
/// <param name="LatencySeconds">
/// How long rows took at the most that came into the lake last, from their commit to a file; null: none came lately, or it is not known.
/// </param>
public sealed record FlowSample(
    DateTimeOffset At, double? PublishedPerSecond, double? StoredPerSecond, double? CaptureLagSeconds, long? LakeLagRecords,
    double? LakeLagSeconds = null, Health Health = Health.Well, double? LatencySeconds = null);
