using System.Diagnostics.Metrics;
using System.Text.Json;
using Confluent.Kafka;
using OrdersStream.Configuration;

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

    private readonly Counter<long> sent, consumed, storedRows, storedFiles, quarantined, redelivered, failures, leftOut, repaired;
    private readonly Counter<long> dropped, droppedPages;
    private readonly Counter<long> sentBytes, storedBytes;
    private readonly Histogram<double> send, query, poll, batch;
    private readonly Histogram<long> returnedRows;
    private readonly KeyValuePair<string, object?>[] stream, topic, sending, table;

    /// <param name="options">The stream's.</param>
    /// <param name="streamName">Whose series these are, where there are those of others to tell them from; null: there are none.</param>
    public PipelineMetrics(PipelineOptions options, string? streamName = null)
    {
        // A scope of its own tells the meters of two streams in one process apart.
        var version = typeof(PipelineMetrics).Assembly.GetName().Version?.ToString(3);
        Meter = new Meter(new MeterOptions(MeterName) { Scope = this, Version = version });
        stream = streamName is null ? [] : [new("orders_stream.stream", streamName)];
        topic = [new("messaging.system", "kafka"), new("messaging.destination.name", options.Kafka.Topic), .. stream];
        sending = [.. topic, new("messaging.operation.name", "send"), new("messaging.operation.type", "send")];
        table =
        [
            new("db.system.name", "postgresql"), new("db.namespace", options.Postgres.Db),
            new("db.collection.name", $"{options.Postgres.Schema}.{options.Postgres.Table}"), new("db.operation.name", "COPY"), .. stream,
        ];

        query = Duration("db.client.operation.duration", "Reading one page of rows.");
        returnedRows = Meter.CreateHistogram(
            "db.client.response.returned_rows", "{row}", "Rows of one page.", tags: null,
            new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 10, 100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000] });
        sent = Meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Records published, each page in a transaction.");
        sentBytes = Meter.CreateCounter<long>("orders_stream.sent.size", "By", "Keys and values of the records published.");
        send = Duration("messaging.client.operation.duration", "Publishing one page, to the end of its transaction.");
        leftOut = Meter.CreateCounter<long>(
            "orders_stream.left_out.rows", "{row}", "Rows too large for a record, kept in files instead.");
        repaired = Meter.CreateCounter<long>(
            "orders_stream.repaired.rows", "{row}", "Rows published again by request, as repairs.");
        consumed = Meter.CreateCounter<long>(
            "messaging.client.consumed.messages", "{message}", "Records that a committed batch was made of.");
        storedRows = Meter.CreateCounter<long>("orders_stream.stored.rows", "{row}", "Rows written to the lake.");
        storedFiles = Meter.CreateCounter<long>("orders_stream.stored.files", "{file}", "Parquet files written.");
        storedBytes = Meter.CreateCounter<long>("orders_stream.stored.size", "By", "Size of these files.");
        quarantined = Meter.CreateCounter<long>("orders_stream.quarantined.records", "{record}", "Records put into quarantine.");
        redelivered = Meter.CreateCounter<long>(
            "orders_stream.redelivered.records", "{record}", "Records that the lake had already, dropped.");
        dropped = Meter.CreateCounter<long>(
            "orders_stream.dropped.records", "{record}", "Records of repeated and unfinished pages, and late ones, which do not count.");
        droppedPages = Meter.CreateCounter<long>("orders_stream.dropped.pages", "{page}", "Parts of such pages, by what they were.");
        poll = Duration("orders_stream.poll.duration", "One poll of the table.");
        batch = Duration("orders_stream.batch.duration", "Committing one batch to the lake.");
        failures = Meter.CreateCounter<long>("orders_stream.failures", "{failure}", "Failures met, by half and what was done about them.");
    }

    /// <summary>The meter itself, for those who measure more of the same stream, and to tell it from another of the name.</summary>
    internal Meter Meter { get; }

    /// <summary>What every series of the stream bears: its name, where there are others in the process.</summary>
    internal IReadOnlyList<KeyValuePair<string, object?>> StreamTags => stream;

    /// <summary>The same and the topic.</summary>
    internal IReadOnlyList<KeyValuePair<string, object?>> TopicTags => topic;

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
    public void PageFailed(Exception failure, TimeSpan duration)
    {
        var kind = failure is KafkaException e ? e.Error.Code.ToString() : failure.GetType().Name;
        send.Record(duration.TotalSeconds, [.. sending, new("error.type", kind)]);
    }

    /// <summary>A row was too large for a record, and is kept in a file.</summary>
    public void RowLeftOut() => leftOut.Add(1, stream);

    /// <summary>Rows were published again by request; they are among those published, too.</summary>
    public void Repaired(long rows) => repaired.Add(rows, stream);

    /// <summary>A poll came to its end.</summary>
    public void Polled<TOutcome>(TOutcome outcome, TimeSpan duration) where TOutcome : struct, Enum =>
        poll.Record(duration.TotalSeconds, [.. stream, new("outcome", Word(outcome))]);

    /// <summary>A batch was committed.</summary>
    /// <param name="rows">Rows written to Parquet.</param>
    /// <param name="quarantinedRecords">Records put into quarantine.</param>
    /// <param name="alreadyStored">Records that the lake had already.</param>
    /// <param name="files">Parquet files.</param>
    /// <param name="bytes">Their size.</param>
    /// <param name="duration">Of the commit.</param>
    public void Stored(long rows, long quarantinedRecords, long alreadyStored, int files, long bytes, TimeSpan duration)
    {
        consumed.Add(rows + quarantinedRecords + alreadyStored, topic);
        storedRows.Add(rows, stream);
        storedFiles.Add(files, stream);
        storedBytes.Add(bytes, stream);
        quarantined.Add(quarantinedRecords, stream);
        redelivered.Add(alreadyStored, stream);
        batch.Record(duration.TotalSeconds, stream);
    }

    /// <summary>Parts of pages were dropped, which do not count.</summary>
    /// <param name="repeated">Parts that the lake had already.</param>
    /// <param name="unfinished">Parts that were not finished.</param>
    /// <param name="records">Records of both, and those that came late.</param>
    public void PagesDropped(int repeated, int unfinished, long records)
    {
        dropped.Add(records, stream);
        if (repeated > 0) droppedPages.Add(repeated, [.. stream, new("reason", "repeated")]);
        if (unfinished > 0) droppedPages.Add(unfinished, [.. stream, new("reason", "unfinished")]);
    }

    /// <summary>A half failed.</summary>
    public void Failed(string half, FailureAction action) =>
        failures.Add(1, [.. stream, new("half", half), new("action", Word(action))]);

    public void Dispose() => Meter.Dispose();

    private Histogram<double> Duration(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = Seconds });

    private static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
