using System.Globalization;
using System.Text;
using OrdersStream.Status;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>The status for a reader at a terminal.</summary>
internal static class StatusText
{
    private const int FilesShown = 5;

    public static string Of(PipelineStatus status)
    {
        var text = new Lines();
        text.Add($"{HealthIn(status.Health)}");
        text.Add($"Postgres   {Source(status.Source)}");
        text.Add($"           {status.Source.CaptureMode ?? "capture mode unknown"}");
        text.Add($"Kafka      {Topic(status.Topic)}");
        text.Add($"lake       {Lake(status.Lake)}");
        text.Add($"PostgresToKafka  {Capture(status.Capture)}");
        text.Add($"                 {Poller(status.Source)}");
        if (status.Source.OldestTransaction is { } open) text.Add($"                 oldest open transaction: {Describe(open)}");
        var lag = status.Lag is { } records ? $"{Number(records)} records behind the topic" : "lag unknown";
        var lake = status.Lake;
        text.Add($"KafkaToLake      {lake.Rows:N0} rows in {lake.Files:N0} files, {lake.Quarantined:N0} quarantined, {lag}");
        AddPartitions(text, status);
        foreach (var file in (lake.NewestFiles.IsDefault ? [] : lake.NewestFiles).Take(FilesShown))
            text.Add($"  {file.CommittedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}  {file.Rows,12:N0} rows {file.Bytes,15:N0} bytes  {file.Path}");
        foreach (var cause in lake.QuarantineCauses.IsDefault ? [] : lake.QuarantineCauses)
            text.Add($"quarantine: {cause.Records:N0} records: {cause.Reason}");
        foreach (var warning in status.Warnings) text.Add($"warning: {warning}");
        foreach (var problem in status.Problems) text.Add($"problem: {problem}");
        return text.ToString();
    }

    private static void AddPartitions(Lines text, PipelineStatus status)
    {
        if (status.Partitions.IsEmpty) return;
        text.Add($"  partition      kept from            end       lake next       lag            rows  quarantined   last commit");
        foreach (var p in status.Partitions)
        {
            var (offsets, counts) = ($"{p.Low,15}{p.High,15}{p.Next,16}{p.Lag,10}", $"{p.Rows,16}{p.Quarantined,13}");
            text.Add($"  {p.Partition,9}{offsets}{counts}   {p.CommittedAt?.UtcDateTime:yyyy-MM-dd HH:mm:ss}");
        }
    }

    private static string HealthIn(Health health) => health switch
    {
        Health.Well => "all is well",
        Health.Wrong => "SOMETHING IS WRONG",
        _ => "IT CANNOT BE TOLD whether all is well",
    };

    private static string Source(SourceStatus s) => s.Reachable
        ? $"{s.Address}, table {s.Table}, version {s.Version ?? "unknown"}{(s.Rows is { } rows ? $", about {Number(rows)} rows" : "")}"
        : $"{s.Address}, table {s.Table}: NOT REACHABLE";

    private static string Topic(TopicStatus t)
    {
        if (!t.Reachable) return $"{t.Brokers}, topic {t.Name}: NOT REACHABLE";
        var absence = t.Exists is false ? " (not created yet)" : "";
        var brokers = $"{t.BrokerCount} broker{(t.BrokerCount == 1 ? "" : "s")}";
        return $"{t.Brokers}, topic {t.Name}{absence}, {brokers}{(t.Version is { } v ? $", version {v}" : "")}";
    }

    private static string Lake(LakeStatus l) => l.Reachable ? l.Path : $"{l.Path}: COMMIT LOG NOT READABLE";

    private static string Capture(CaptureStatus? capture)
    {
        if (capture is null) return "nothing captured yet";
        var position = capture.CapturedUpTo is { } upTo ? Position(capture, upTo) : "initial load not done";
        return capture.Window is { } window ? $"{position}; {Window(window)}" : position;
    }

    private static string Position(CaptureStatus capture, DateTime upTo)
    {
        var next = capture.NextFrom is { } from ? $"{from:yyyy-MM-dd HH:mm:ss}" : "the beginning";
        return string.Create(CultureInfo.InvariantCulture,
            $"captured up to {upTo:yyyy-MM-dd HH:mm:ss} UTC, {capture.WindowsTaken:N0} windows, {capture.RowsPublished:N0} rows; "
            + $"the next reads from {next}");
    }

    private static string Window(WindowStatus w)
    {
        var progress = w.Progress is { } share ? string.Create(CultureInfo.InvariantCulture, $", {share:P0}") : "";
        var left = w.SecondsLeft is { } seconds ? $", about {TimeSpan.FromSeconds(seconds):hh\\:mm\\:ss} left" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"window {w.Number} ({w.Kind}) in progress, {w.Pages:N0} pages with {w.Rows:N0} rows published{progress}{left}");
    }

    private static string Poller(SourceStatus s)
    {
        if (!s.Reachable) return "poller unknown";
        if (s.Poller is not { } p) return "no poller: no session holds the lock";
        var address = p.ClientAddress is { } client ? $", {client}" : "";
        return $"poller: session {p.Pid} ({p.Application}{address}) since {p.Since:yyyy-MM-dd HH:mm:ss}";
    }

    private static string Describe(OpenTransaction open) => string.Create(CultureInfo.InvariantCulture,
        $"{open.Kind} for {open.Seconds:N0} s{(open.Pid is { } pid ? $", session {pid} ({open.Application})" : "")}");

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private sealed class Lines
    {
        private readonly StringBuilder text = new();

        public void Add(FormattableString line)
        {
            if (text.Length > 0) text.Append('\n');
            text.Append(line.ToString(CultureInfo.InvariantCulture).TrimEnd());
        }

        public override string ToString() => text.ToString();
    }
}
