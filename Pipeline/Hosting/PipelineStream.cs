using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
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
    private readonly TopicAdmin admin;
    private readonly TopicReader topic;

    /// <param name="options">The stream's configuration.</param>
    /// <param name="process">The process that it runs in.</param>
    /// <param name="isAlone">False where the process has others: the name of this one then stands in every line and series.</param>
    public PipelineStream(PipelineOptions options, ProcessContext process, bool isAlone = true)
    {
        (Options, Process) = (options, process);
        (admin, topic) = (new TopicAdmin(options), new TopicReader(options));
        newLogger = isAlone ? process.NewLogger : category => new StreamLogger(process.NewLogger(category), Name);
        Metrics = new PipelineMetrics(options, isAlone ? null : Name);
        Gauges = new StatusGauges(Metrics);
        Failures = new FailureJournal(Name, process.Time, Metrics);
        History = new FlowHistory();
        Logger = newLogger("OrdersStream");
        Capture = new PostgresToKafka(options, process.Time, process.CrashPoints, Metrics, newLogger("OrdersStream.PostgresToKafka"));
        Func<string, ILakeFiles> openFiles = location => new LakeFolder(location, process.CrashPoints);
        var surroundings = new StoreSurroundings(OpenTopicAsync, TopicEndsAsync, PresentSchemaAsync, openFiles);
        Store = new KafkaToLake(options, surroundings, process.Time, process.CrashPoints, Metrics, newLogger("OrdersStream.KafkaToLake"));
        Status = new StatusReader(options, admin, topic, openFiles, process.Process, History, Failures, process.Time);
        Comparison = new LakeComparison(options, admin, topic, openFiles, process.Time);
    }

    private readonly Func<string, ILogger> newLogger;

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
    public StatusReader Status { get; }
    public LakeComparison Comparison { get; }

    /// <summary>Makes sure of the topic.</summary>
    /// <exception cref="Confluent.Kafka.KafkaException">No broker answers, or it refuses.</exception>
    public Task<TopicDescription> EnsureTopicAsync(CancellationToken cancellationToken) => admin.EnsureAsync(cancellationToken);

    /// <summary>What a loop over a half does about its failures.</summary>
    /// <param name="half">Its name.</param>
    /// <param name="giveUpAfter">How long an outage may last; null: for ever.</param>
    public Retries NewRetries(string half, TimeSpan? giveUpAfter = null) =>
        new(half, Failures, Process.Time, newLogger($"OrdersStream.{half}Loop"), giveUpAfter);

    /// <summary>For those who leave it to others when a half is tried again.</summary>
    public Outage NewOutage(string half) => new(half, Failures, Process.Time, Logger);

    public async ValueTask DisposeAsync()
    {
        await Capture.DisposeAsync();
        Store.Dispose();
        Metrics.Dispose();
    }

    private async Task<TopicAccess> OpenTopicAsync(CancellationToken cancellationToken) =>
        TopicAccess.Through(topic, (await admin.EnsureAsync(cancellationToken)).Identity);

    private async Task<IReadOnlyList<long>> TopicEndsAsync(CancellationToken cancellationToken) =>
        await topic.EndsAsync((await admin.EnsureAsync(cancellationToken)).Partitions, cancellationToken);

    /// <summary>For records that another producer wrote, which name no schema.</summary>
    private async Task<TableSchema> PresentSchemaAsync(CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(Options.Postgres, cancellationToken);
        return (await SourceCatalog.ReadAsync(connection, Options.Postgres, cancellationToken)).Schema;
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
