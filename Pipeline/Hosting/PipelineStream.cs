using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
using OrdersStream.Replay;
using OrdersStream.Rows;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.Hosting;

/// <summary>What the streams of one process share.</summary>
/// <param name="Time">The clock.</param>
/// <param name="CrashPoints">Those of the process.</param>
/// <param name="NewLogger">The logger of a category.</param>
/// <param name="Process">What it is, for its status.</param>
public sealed record ProcessContext(TimeProvider Time, CrashPoints CrashPoints, Func<string, ILogger> NewLogger, ProcessStatus Process);

/// <summary>
/// A stream: one table's way, source table -> topic -> lake folder, with its position and its commit log. Here its two halves are put
/// together, by hand, and what observes it; nothing in it serves another stream.
/// </summary>
public sealed class PipelineStream : IAsyncDisposable
{
    /// <summary>
    /// What capture waits for at the most though all is well: the lock of a table that is being rewritten, a scan that finds its first row
    /// at the end. Who is ended in it begins anew, and gets no further the next time.
    /// </summary>
    private static readonly TimeSpan StatementMax = TimeSpan.FromHours(6);

    /// <summary>
    /// Who stores waits for no statement: a commit of many files on a slow volume is the longest. A large lake's files, which it looks at
    /// before, are each a sign that it gets on.
    /// </summary>
    private static readonly TimeSpan CommitMax = TimeSpan.FromMinutes(30);

    private readonly TopicAdmin admin;
    private readonly TopicReader topic;
    private readonly TopicWatch watch;
    private ImmutableList<RunningHalf> running = [];

    /// <param name="options">The stream's configuration.</param>
    /// <param name="process">The process that it runs in.</param>
    /// <param name="isAlone">False where the process has others: the name of this one then stands in every line and series.</param>
    public PipelineStream(PipelineOptions options, ProcessContext process, bool isAlone = true)
    {
        (Options, Process) = (options, process);
        (admin, topic) = (new TopicAdmin(options), new TopicReader(options));
        openFiles = location => new LakeFolder(location, process.CrashPoints);
        newLogger = isAlone ? process.NewLogger : category => new StreamLogger(process.NewLogger(category), Name);
        Metrics = new PipelineMetrics(options, isAlone ? null : Name);
        Gauges = new StatusGauges(Metrics, process.Time);
        Failures = new FailureJournal(Name, process.Time, Metrics);
        // Three batches: a backlog is collected for longer, and meanwhile nothing comes into the lake.
        History = new FlowHistory(TimeSpan.FromSeconds(Math.Max(15, 3 * options.Streaming.BatchInterval)));
        HistoryFile = new FlowHistoryFile(options);
        Logger = newLogger("OrdersStream");
        watch = new TopicWatch(options, admin, process.Time, Logger);
        Capture = new PostgresToKafka(
            options, watch, process.Time, process.CrashPoints, Metrics, newLogger("OrdersStream.PostgresToKafka"),
            table => StorableFolders.CheckToCapture(options.Datalake, openFiles, table));
        AroundStore = new StoreSurroundings(
            OpenTopicAsync, TopicEndsAsync, PresentSchemaAsync,
            location => new LakeFolder(location, process.CrashPoints) { Looked = StoreProgresses },
            HiddenEndsAsync, watch.LookAgainAsync, admin.GroupMembersAsync);
        Store = new KafkaToLake(options, AroundStore, process.Time, process.CrashPoints, Metrics, newLogger("OrdersStream.KafkaToLake"));
        Status = new StatusReader(
            options, admin, topic, openFiles, process.Process, Heartbeats, Compared, History, Failures, process.Time);
        Comparison = new LakeComparison(options, admin, topic, openFiles, process.Time);
        var arrival = new LakeArrival(options, admin, topic, openFiles, process.Time);
        Audit = new StandingAudit(
            options, () => Capture.Watermark, arrival, openFiles, process.CrashPoints, Metrics, process.Time,
            newLogger("OrdersStream.Audit"));
        Repair = new LakeRepair(options, arrival, openFiles, process.CrashPoints, process.Time);
        Quarantine = new QuarantineReplay(options, admin, openFiles);
        Rows = new RowHistory(options, openFiles);
        Stats = new DailyStats(options, openFiles);
    }

    private readonly Func<string, ILogger> newLogger;
    private readonly Func<string, ILakeFiles> openFiles;

    /// <summary>Tells it from every other.</summary>
    public string Name => Options.StreamName;

    public PipelineOptions Options { get; }
    public ProcessContext Process { get; }

    /// <summary>Of what is said of the stream as a whole.</summary>
    public ILogger Logger { get; }

    public PostgresToKafka Capture { get; }
    public KafkaToLake Store { get; }

    public FailureJournal Failures { get; }
    public PipelineMetrics Metrics { get; }
    public StatusGauges Gauges { get; }
    public FlowHistory History { get; }
    public FlowHistoryFile HistoryFile { get; }
    public StatusReader Status { get; }
    public LakeComparison Comparison { get; }
    public StandingAudit Audit { get; }
    public LakeRepair Repair { get; }
    public QuarantineReplay Quarantine { get; }
    public RowHistory Rows { get; }
    public DailyStats Stats { get; }

    /// <summary>Makes sure of the topic.</summary>
    /// <exception cref="Confluent.Kafka.KafkaException">No broker answers, or it refuses.</exception>
    public Task<TopicDescription> EnsureTopicAsync(CancellationToken cancellationToken) => admin.EnsureAsync(cancellationToken);

    /// <summary>Bytes of a row of the table, by a sample; null: it is empty.</summary>
    /// <exception cref="Exception">The table cannot be asked.</exception>
    public Task<double?> SampleRowBytesAsync(CancellationToken cancellationToken) =>
        RowWidth.SampleAsync(Options.Postgres, cancellationToken);

    /// <summary>Looks at all that the stream needs, and changes nothing.</summary>
    /// <param name="hostFile">The function app's host.json; null: it is not looked at.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public Task<CheckReport> CheckAsync(string? hostFile, CancellationToken cancellationToken) =>
        new StreamCheck(Options, admin, topic, openFiles, Process.Time).RunAsync(hostFile, cancellationToken);

    /// <summary>Says how far the reading of the whole table has got, until it is cancelled.</summary>
    public Task TellProgressAsync(CancellationToken cancellationToken) => new LoadProgress(this).RunAsync(cancellationToken);

    /// <summary>This process runs a half, until that is disposed of: others can see that, and how it does.</summary>
    /// <param name="half">Its name.</param>
    public RunningHalf Begin(string half)
    {
        var begun = new RunningHalf(this, half);
        ImmutableInterlocked.Update(ref running, (all, one) => all.Add(one), begun);
        return begun;
    }

    /// <summary>Whether who captures is heard of in this configuration's state folder: only there does it meet what is asked.</summary>
    public bool HearsOfCapture => new HeartbeatFolder(Options, nameof(PostgresToKafka)).Read()
        .Any(beat => beat.IsAlive(Process.Time.GetUtcNow()));

    /// <summary>What a loop over a half does about its failures.</summary>
    /// <param name="half">Whose they are.</param>
    /// <param name="giveUpAfter">How long an outage may last; null: for ever.</param>
    public Retries NewRetries(RunningHalf half, TimeSpan? giveUpAfter = null)
    {
        half.Condition.Turns();
        return new(half.Name, Failures, Process.Time, newLogger($"OrdersStream.{half.Name}Loop"), giveUpAfter, half.Condition);
    }

    /// <summary>
    /// The loops of this process that have not come round for longer than a turn takes: by what they have done nothing more will come.
    /// </summary>
    public IEnumerable<string> Hanging() =>
        from half in running
        where half.Condition.SinceTurn > TurnMax(half.Name)
        select string.Create(
            CultureInfo.InvariantCulture, $"{half.Name} has not come round for {half.Condition.SinceTurn!.Value.TotalSeconds:0} s.");

    /// <summary>For those who leave it to others when a half is tried again.</summary>
    public Outage NewOutage(RunningHalf half) => new(half.Name, Failures, Process.Time, Logger, half.Condition);

    public async ValueTask DisposeAsync()
    {
        await Capture.DisposeAsync();
        Store.Dispose();
        Metrics.Dispose();
    }

    /// <summary>The pause before it, a statement or a commit, and the end of a page.</summary>
    /// <param name="half">Whose turn it is.</param>
    internal TimeSpan TurnMax(string half) => (half == nameof(KafkaToLake) ? CommitMax : StatementMax)
        + TimeSpan.FromSeconds(Options.Streaming.BatchInterval + Options.Kafka.TransactionTimeout);

    internal StoreSurroundings AroundStore { get; }

    internal void Ended(RunningHalf half) => ImmutableInterlocked.Update(ref running, (all, one) => all.Remove(one), half);

    private void StoreProgresses()
    {
        foreach (var half in running)
            if (half.Name == nameof(KafkaToLake)) half.Condition.Progresses();
    }

    private AuditReport? Compared()
    {
        if (Audit.Read() is not { } state) return null;
        var now = Process.Time.GetUtcNow();
        var last = state.Last is not { } l ? null : new AuditStatus(
            l.BegunAt, (now - l.BegunAt).TotalSeconds, l.Compared, l.OnTheWay, l.Missing, l.Stale, l.Extra, l.StoredTwice,
            l.Requested, l.Unmended, state.Failure, state.DifferingRounds, state.DeletesHeld?.Why)
        {
            DeletesRemedy = state.DeletesHeld?.Remedy,
            Lost = l.Lost, ExtraUnasked = l.ExtraUnasked, Misplaced = l.Misplaced, CannotBeTold = l.CannotBeTold,
        };
        return new AuditReport(last, state.Failure, state.IsOverdue(now, TimeSpan.FromSeconds(Options.Audit.Interval)));
    }

    private IReadOnlyList<Heartbeat> Heartbeats() => [.. running.Select(half => half.Heartbeat)];

    private async Task<TopicAccess> OpenTopicAsync(CancellationToken cancellationToken)
    {
        var description = await admin.EnsureAsync(cancellationToken);
        watch.Opened(description);
        return TopicAccess.Through(topic, description.Identity);
    }

    private async Task<IReadOnlyList<long>> TopicEndsAsync(CancellationToken cancellationToken) =>
        await topic.EndsAsync((await admin.EnsureAsync(cancellationToken)).Partitions, cancellationToken);

    private async Task<IReadOnlyList<HiddenEnd>> HiddenEndsAsync(CancellationToken cancellationToken) => await topic.HiddenAsync(
        (await admin.EnsureAsync(cancellationToken)).Partitions, KafkaClients.AnswerTimeout, cancellationToken);

    /// <summary>For records that another producer wrote, which name no schema.</summary>
    private async Task<TableSchema> PresentSchemaAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await SourceConnection.OpenAsync(Options.Postgres, cancellationToken);
            return (await SourceCatalog.ReadAsync(connection, Options.Postgres, cancellationToken)).Schema;
        }
        // A functions platform logs what it is thrown as a whole.
        catch (PostgresException e)
        {
            throw FailurePolicy.OfStatement(e, isConnected: true, Options.Postgres.Address)!;
        }
    }
}

/// <summary>Says with each line whose it is, where a process has several streams.</summary>
internal sealed class StreamLogger(ILogger inner, string stream) : ILogger
{
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        inner.Log(logLevel, eventId, state, exception, (s, e) => $"[{stream}] {formatter(s, e)}");

    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => inner.BeginScope(state);
}
