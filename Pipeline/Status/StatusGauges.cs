using System.Diagnostics.Metrics;
using System.Globalization;
using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.Status;

/// <summary>
/// The last status that was read, as gauges of the stream's meter; of one that was read too long ago there is none but that it cannot be
/// told (invariant 11).
/// </summary>
public sealed class StatusGauges
{
    private static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(30);

    private readonly PipelineMetrics metrics;
    private readonly TimeProvider time;
    private (PipelineStatus? Status, long ReadAt) last;
    private readonly Lock gate = new();

    /// <param name="metrics">The stream's.</param>
    /// <param name="time">Tells how old a status is.</param>
    public StatusGauges(PipelineMetrics metrics, TimeProvider time)
    {
        (this.metrics, this.time) = (metrics, time);
        last = (null, time.GetTimestamp());
        var meter = metrics.Meter;
        meter.CreateObservableGauge(
            "orders_stream.up", Reachable, null, "1: it could be read for the last status; 0: it could not.");
        meter.CreateObservableGauge("orders_stream.health", HealthNow, null, "0 well, 1 something is wrong, 2 it cannot be told.");
        Gauge(
            "orders_stream.capture.lag", s => s.Capture?.LagSeconds, "s",
            "How long ago the oldest change may have been committed that is not in Kafka.");
        Gauge(
            "orders_stream.capture.published.rows", s => s.Capture?.RowsPublished, "{row}",
            "Row versions published in the stream's life.");
        Gauge(
            "orders_stream.capture.window.progress", s => s.Capture?.Window?.Progress, "1",
            "Share of an initial load that is published.");
        Gauge(
            "orders_stream.capture.held_back", s => s.Capture is { } c ? (c.HeldBack is null ? 0 : 1) : null, null,
            "1: committed rows wait for the end of a transaction; 0: none does.");
        Gauge(
            "orders_stream.capture.oldest_transaction.age", s => s.Source.OldestTransaction?.Seconds, "s",
            "Age of the oldest transaction that is open at the source.");
        meter.CreateObservableGauge(
            "orders_stream.half.up", Halves, null, "1: somebody runs the half, or stands by; 0: it fails, or nobody is seen to run it.");
        Gauge(
            "orders_stream.lake.lag.time", s => s.Halves.FirstOrDefault(h => h.Name == nameof(KafkaToLake))?.LagSeconds, "s",
            "How long ago the oldest record was sent that is not in the lake.");
        meter.CreateObservableGauge("orders_stream.lake.lag", LakeLag, "{record}", "Records that wait in Kafka, by partition.");
        Gauge("orders_stream.lake.rows", s => s.Lake.Reachable ? s.Lake.Rows : null, "{row}", "Rows in the lake.");
        Gauge("orders_stream.lake.files", s => s.Lake.Reachable ? s.Lake.Files : null, "{file}", "Files written to the lake.");
        Gauge(
            "orders_stream.lake.quarantined.records", s => s.Lake.Reachable ? s.Lake.Quarantined : null, "{record}",
            "Records in quarantine.");
    }

    /// <summary>Keeps a status that was read, in place of the one before it.</summary>
    public void Record(PipelineStatus status)
    {
        lock (gate) last = (status, time.GetTimestamp());
    }

    /// <summary>Null: none was read, or not lately.</summary>
    private PipelineStatus? Last => Read() is var (status, isOld) && !isOld ? status : null;

    private (PipelineStatus? Status, bool IsOld) Read()
    {
        lock (gate) return (last.Status, time.GetElapsedTime(last.ReadAt) > AgeMax);
    }

    private Measurement<double>[] HealthNow()
    {
        var (status, isOld) = Read();
        return isOld ? [new((int)Health.Unknown, metrics.StreamTags)]
            : status is null ? []
            : [new((int)status.Health, metrics.StreamTags)];
    }

    private void Gauge(string name, Func<PipelineStatus, double?> value, string? unit, string description)
    {
        Measurement<double>[] Measure() =>
            Last is { } status && value(status) is { } measured ? [new(measured, metrics.StreamTags)] : [];
        metrics.Meter.CreateObservableGauge(name, Measure, unit, description);
    }

    private IEnumerable<Measurement<int>> Reachable()
    {
        if (Last is not { } status) yield break;
        yield return Up("postgres", status.Source is { Reachable: true, Version: not null });
        yield return Up("kafka", status.Topic.Reachable);
        yield return Up("lake", status.Lake.Reachable);
    }

    private IEnumerable<Measurement<int>> Halves() =>
        from half in Last?.Halves ?? []
        let isUp = half.State is HalfState.Running or HalfState.StandingBy
        select new Measurement<int>(isUp ? 1 : 0, [.. metrics.StreamTags, new("half", half.Name)]);

    private Measurement<int> Up(string part, bool reachable) => new(reachable ? 1 : 0, [.. metrics.StreamTags, new("part", part)]);

    private IEnumerable<Measurement<long>> LakeLag()
    {
        foreach (var partition in Last?.Partitions ?? [])
        {
            if (partition.Lag is not { } lag) continue;
            var number = partition.Partition.ToString(CultureInfo.InvariantCulture);
            yield return new(lag, [.. metrics.TopicTags, new("messaging.destination.partition.id", number)]);
        }
    }
}
