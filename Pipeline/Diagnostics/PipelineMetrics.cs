using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Status;

namespace OrdersStream.Diagnostics;

/// <summary>
/// What is measured: by OpenTelemetry's conventions for messaging and databases where one fits, else as <c>orders_stream.*</c>.
/// Taken once a page, poll or batch, never once a row; never a row's value (invariant 9).
/// </summary>
public sealed class PipelineMetrics : IDisposable
{
    /// <summary>Name of the meter, for those who listen.</summary>
    public const string MeterName = "orders_stream";

    private static readonly double[] Seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

    private readonly Counter<long> sent, consumed, storedRows, storedFiles, quarantined, redelivered, failures;
    private readonly Counter<long> sentBytes, storedBytes;
    private readonly Histogram<double> send, query, poll, batch;
    private readonly Histogram<long> returnedRows;
    private readonly KeyValuePair<string, object?>[] topic, sending, table;
    private PipelineStatus? lastLook;

    public PipelineMetrics(PipelineOptions options)
    {
        // A scope of its own tells the meters of two pipelines in one process apart.
        Meter = new Meter(new MeterOptions(MeterName) { Scope = this, Version = typeof(PipelineMetrics).Assembly.GetName().Version?.ToString(3) });
        topic = [new("messaging.system", "kafka"), new("messaging.destination.name", options.Kafka.Topic)];
        sending = [.. topic, new("messaging.operation.name", "send"), new("messaging.operation.type", "send")];
        table =
        [
            new("db.system.name", "postgresql"), new("db.namespace", options.Postgres.Db),
            new("db.collection.name", $"{options.Postgres.Schema}.{options.Postgres.Table}"), new("db.operation.name", "COPY"),
        ];

        query = Duration("db.client.operation.duration", "Reading one page of rows.");
        returnedRows = Meter.CreateHistogram(
            "db.client.response.returned_rows", "{row}", "Rows of one page.", tags: null,
            new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000] });
        sent = Meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Records published, each page in a transaction.");
        sentBytes = Meter.CreateCounter<long>("orders_stream.sent.size", "By", "Keys and values of the records published.");
        send = Duration("messaging.client.operation.duration", "Publishing one page, to the end of its transaction.");
        consumed = Meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Records that a committed batch was made of.");
        storedRows = Meter.CreateCounter<long>("orders_stream.stored.rows", "{row}", "Rows written to the lake.");
        storedFiles = Meter.CreateCounter<long>("orders_stream.stored.files", "{file}", "Parquet files written.");
        storedBytes = Meter.CreateCounter<long>("orders_stream.stored.size", "By", "Size of these files.");
        quarantined = Meter.CreateCounter<long>("orders_stream.quarantined.records", "{record}", "Records put into quarantine.");
        redelivered = Meter.CreateCounter<long>("orders_stream.redelivered.records", "{record}", "Records that the lake had already, dropped.");
        poll = Duration("orders_stream.poll.duration", "One poll of the table.");
        batch = Duration("orders_stream.batch.duration", "Committing one batch to the lake.");
        failures = Meter.CreateCounter<long>("orders_stream.failures", "{failure}", "Failures met, by half and what was done about them.");
        CreateGauges();
    }

    /// <summary>The meter itself, to tell it from another of the name.</summary>
    internal Meter Meter { get; }

    /// <summary>A page was read.</summary>
    public void PageRead(long rows, TimeSpan duration)
    {
        query.Record(duration.TotalSeconds, table);
        returnedRows.Record(rows, table);
    }

    /// <summary>A page was published.</summary>
    public void PagePublished(long records, long bytes, TimeSpan duration)
    {
        sent.Add(records, sending);
        sentBytes.Add(bytes, topic);
        send.Record(duration.TotalSeconds, sending);
    }

    /// <summary>A page could not be published: the duration bears the kind of the failure.</summary>
    public void PageFailed(Exception failure, TimeSpan duration) => send.Record(
        duration.TotalSeconds, [.. sending, new("error.type", failure is KafkaException e ? e.Error.Code.ToString() : failure.GetType().Name)]);

    /// <summary>A poll came to its end.</summary>
    public void Polled(PollResult result) => poll.Record(result.Duration.TotalSeconds, new KeyValuePair<string, object?>("outcome", Word(result.Outcome)));

    /// <summary>A batch was committed.</summary>
    public void Stored(BatchResult result, TimeSpan duration)
    {
        consumed.Add(result.Rows + result.Quarantined + result.AlreadyStored, topic);
        storedRows.Add(result.Rows);
        storedFiles.Add(result.Files);
        storedBytes.Add(result.Bytes);
        quarantined.Add(result.Quarantined);
        redelivered.Add(result.AlreadyStored);
        batch.Record(duration.TotalSeconds);
    }

    /// <summary>A half met a failure.</summary>
    public void Failed(string half, FailureAction action) =>
        failures.Add(1, new("half", half), new("action", Word(action)));

    /// <summary>Takes note of a look at everything: the gauges tell what it saw.</summary>
    public void Saw(PipelineStatus status) => Volatile.Write(ref lastLook, status);

    public void Dispose() => Meter.Dispose();

    private void CreateGauges()
    {
        Meter.CreateObservableGauge("orders_stream.up", Reachable, null, "1: the last look could read it; 0: it could not.");
        Meter.CreateObservableGauge("orders_stream.health", () => From(s => (double)(int)s.Health), null, "0 well, 1 something is wrong, 2 it cannot be told.");
        Meter.CreateObservableGauge("orders_stream.capture.lag", () => From(s => s.Capture?.LagSeconds), "s", "How long ago the oldest change may have been committed that is not in Kafka.");
        Meter.CreateObservableGauge("orders_stream.capture.published.rows", () => From(s => s.Capture?.RowsPublished), "{row}", "Row versions published in the stream's life.");
        Meter.CreateObservableGauge("orders_stream.capture.window.progress", () => From(s => s.Capture?.Window?.Progress), "1", "Share of an initial load that is published.");
        Meter.CreateObservableGauge("orders_stream.capture.oldest_transaction.age", () => From(s => s.Source.OldestTransaction?.Seconds), "s", "Age of the oldest transaction that is open at the source.");
        Meter.CreateObservableGauge("orders_stream.lake.lag", LakeLag, "{record}", "Records that wait in Kafka, by partition.");
        Meter.CreateObservableGauge("orders_stream.lake.rows", () => From(s => s.Lake.Reachable ? s.Lake.Rows : null), "{row}", "Rows in the lake.");
        Meter.CreateObservableGauge("orders_stream.lake.files", () => From(s => s.Lake.Reachable ? s.Lake.Files : null), "{file}", "Files written to the lake.");
        Meter.CreateObservableGauge("orders_stream.lake.quarantined.records", () => From(s => s.Lake.Reachable ? s.Lake.Quarantined : null), "{record}", "Records in quarantine.");
    }

    private IEnumerable<Measurement<double>> From(Func<PipelineStatus, double?> value)
    {
        if (Volatile.Read(ref lastLook) is { } status && value(status) is { } seen) yield return new(seen);
    }

    private IEnumerable<Measurement<int>> Reachable()
    {
        if (Volatile.Read(ref lastLook) is not { } status) yield break;
        yield return Up("postgres", status.Source.Reachable);
        yield return Up("kafka", status.Topic.Reachable);
        yield return Up("lake", status.Lake.Reachable);

        static Measurement<int> Up(string part, bool reachable) => new(reachable ? 1 : 0, new KeyValuePair<string, object?>("part", part));
    }

    private IEnumerable<Measurement<long>> LakeLag()
    {
        foreach (var partition in Volatile.Read(ref lastLook)?.Partitions ?? [])
            if (partition.Lag is { } lag) yield return new(lag, [.. topic, new("messaging.destination.partition.id", partition.Partition.ToString(CultureInfo.InvariantCulture))]);
    }

    private Histogram<double> Duration(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });

    private static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
