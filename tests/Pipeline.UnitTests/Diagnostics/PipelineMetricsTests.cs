using System.Diagnostics.Metrics;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.UnitTests.Diagnostics;

public sealed class PipelineMetricsTests : IDisposable
{
    private readonly PipelineMetrics metrics = new(new PipelineOptions
    {
        Postgres = new() { Db = "food", Table = "ab12_orders" },
        Kafka = new() { Topic = "ab12_raw" },
    });

    private readonly MeterListener listener = new();
    private readonly List<(string Name, string? Unit, double Value, string Tags)> measured = [];

    public PipelineMetricsTests()
    {
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter == metrics.Meter) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((i, value, tags, _) => Add(i, value, tags));
        listener.SetMeasurementEventCallback<double>((i, value, tags, _) => Add(i, value, tags));
        listener.Start();
    }

    public void Dispose()
    {
        listener.Dispose();
        metrics.Dispose();
    }

    [Fact]
    public void a_page_is_measured_by_the_conventions_for_databases_and_messaging()
    {
        metrics.PageRead(500, TimeSpan.FromSeconds(0.2));
        metrics.PagePublished(500, 60_000, TimeSpan.FromSeconds(0.1));
        const string Table = "db.collection.name=public.ab12_orders db.namespace=food db.operation.name=COPY db.system.name=postgresql";
        const string Topic = "messaging.destination.name=ab12_raw";
        const string Send = Topic + " messaging.operation.name=send messaging.operation.type=send messaging.system=kafka";
        Assert.Equal(
            [
                ("db.client.operation.duration", "s", 0.2, Table),
                ("db.client.response.returned_rows", "{row}", 500, Table),
                ("messaging.client.sent.messages", "{message}", 500, Send),
                ("orders_stream.sent.size", "By", 60_000, Topic + " messaging.system=kafka"),
                ("messaging.client.operation.duration", "s", 0.1, Send),
            ],
            measured);
    }

    [Fact]
    public void a_batch_counts_what_became_of_its_records()
    {
        metrics.Stored(rows: 90, quarantinedRecords: 3, alreadyStored: 7, files: 4, bytes: 5_000, TimeSpan.FromSeconds(0.5));
        Assert.Equal(
            [
                ("messaging.client.consumed.messages", "{message}", 100),
                ("orders_stream.stored.rows", "{row}", 90),
                ("orders_stream.stored.files", "{file}", 4),
                ("orders_stream.stored.size", "By", 5_000),
                ("orders_stream.quarantined.records", "{record}", 3),
                ("orders_stream.redelivered.records", "{record}", 7),
                ("orders_stream.batch.duration", "s", 0.5),
            ],
            measured.Select(m => (m.Name, m.Unit, m.Value)));
    }

    [Fact]
    public void a_failure_is_counted_by_half_and_action_and_never_by_its_text()
    {
        var journal = new FailureJournal("orders", TimeProvider.System, metrics);
        journal.Failed("KafkaToLake", new FailureVerdict(FailureAction.Retry, "The disk is full.", "Make room."));
        metrics.PageFailed(new KafkaException(ErrorCode.ProducerFenced), TimeSpan.FromSeconds(1));
        Assert.Equal(("orders_stream.failures", "{failure}", 1, "action=retry half=KafkaToLake"), measured[0]);
        Assert.Equal("messaging.client.operation.duration", measured[1].Name);
        Assert.Contains("error.type=ProducerFenced", measured[1].Tags);
    }

    [Fact]
    public void before_the_first_measurement_the_gauges_say_nothing()
    {
        listener.RecordObservableInstruments();
        Assert.Empty(measured);
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var texts = tags.ToArray().Select(t => $"{t.Key}={t.Value}").Order(StringComparer.Ordinal);
        measured.Add((instrument.Name, instrument.Unit, value, string.Join(' ', texts)));
    }
}
