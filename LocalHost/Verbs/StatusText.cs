using System.Globalization;
using System.Text;
using OrdersStream.Capture;
using OrdersStream.Status;
using OrdersStream.Store;

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
        text.Add($"PostgresToKafka  {Half(status, nameof(PostgresToKafka))}");
        text.Add($"                 {Capture(status.Capture)}");
        text.Add($"                 {Poller(status.Source)}");
        if (status.Source.OldestTransaction is { } open) text.Add($"                 oldest open transaction: {open}");
        if (status.Source.HiddenTransaction is { } hidden)
            text.Add($"                 hides its transaction's beginning: session {hidden.Pid} ({hidden.Application})");
        if (status.Capture?.HeldBack is { } heldBack) text.Add($"                 {HeldBack(heldBack)}");
        var lake = status.Lake;
        text.Add($"KafkaToLake      {Half(status, nameof(KafkaToLake))}");
        if (lake.Reachable) text.Add($"                 {lake.Rows:N0} rows in {lake.Files:N0} files, {lake.Quarantined:N0} quarantined");
        text.Add($"                 {Lag(status)}");
        if (lake.Dropped > 0)
            text.Add($"                 {lake.Dropped:N0} records of pages that were sent again or not finished do not count");
        if (status.Hidden > 0)
            text.Add($"                 {Number(status.Hidden)} offsets of the topic are HIDDEN behind a transaction that is open");
        if (status.Audit is { } audit) text.Add($"audit            {Age(audit.AgeSeconds)} ago: {audit.Says}");
        AddPartitions(text, status);
        foreach (var file in (lake.NewestFiles.IsDefault ? [] : lake.NewestFiles).Take(FilesShown))
            text.Add($"  {file.CommittedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}  {file.Rows,12:N0} rows {file.Bytes,15:N0} bytes  {file.Path}");
        foreach (var cause in lake.QuarantineCauses.IsDefault ? [] : lake.QuarantineCauses)
            text.Add($"quarantine: {cause.Records:N0} records: {cause.Reason}");
        foreach (var warning in status.Warnings) text.Add($"warning: {warning}");
        foreach (var problem in status.Problems) text.Add($"problem: {problem}");
        return text.ToString();
    }

    /// <summary>What is still to be done, of the topic and of the table.</summary>
    public static string Left(PipelineStatus status) => string.Create(CultureInfo.InvariantCulture, $"{Lag(status)}; ")
        + status.Capture?.LagSeconds switch
        {
            null => "how much of the table is not in the topic cannot be told",
            0 => "all of the table is in the topic",
            { } s => string.Create(CultureInfo.InvariantCulture, $"what was committed in the last {s:0} s may not be in the topic"),
        };

    private static string Lag(PipelineStatus status) =>
        status.Lag is { } records ? $"the lake is {Number(records)} records behind the topic" : "how far the lake is behind cannot be told";

    private static string Half(PipelineStatus status, string name)
    {
        var half = status.Halves.Single(h => h.Name == name);
        return half.Health == Health.Well ? half.Says : $"{Word(half)}: {half.Says}";
    }

    private static string Word(HalfStatus half) => half.State switch
    {
        HalfState.Nobody => "DOES NOT RUN",
        HalfState.Stopped => "STOPPED",
        HalfState.Retrying => "TRIES AGAIN",
        HalfState.Silent => "IS NOT HEARD OF",
        _ => half.Health == Health.Wrong ? "IS BEHIND" : "CANNOT BE TOLD",
    };

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
        var position = capture.CapturedUpTo is { } upTo ? Position(capture, upTo)
            : capture.HeldBack is null ? "initial load not done" : "rows of the initial load are held back";
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
        // It may have answered that it does not let us in.
        if (s is not { Reachable: true, Version: not null }) return "poller unknown";
        if (s.Poller is not { } p) return "no poller: no session holds the lock";
        var address = p.ClientAddress is { } client ? $", {client}" : "";
        return $"poller: session {p.Pid} ({p.Application}{address}) since {p.Since:yyyy-MM-dd HH:mm:ss}";
    }

    private static string HeldBack(HeldBackStatus heldBack)
    {
        var since = heldBack.Since is { } time ? $" committed since {time:yyyy-MM-dd HH:mm:ss}" : "";
        var by = heldBack.By?.ToString() ?? "not named: ended meanwhile, or unknown";
        return $"HELD BACK: rows{since}, behind a transaction that is {by}";
    }

    private static string Age(double seconds) => TimeSpan.FromSeconds(seconds) switch
    {
        { TotalDays: >= 2 } age => string.Create(CultureInfo.InvariantCulture, $"{age.TotalDays:0} days"),
        { TotalHours: >= 2 } age => string.Create(CultureInfo.InvariantCulture, $"{age.TotalHours:0} h"),
        { TotalMinutes: >= 2 } age => string.Create(CultureInfo.InvariantCulture, $"{age.TotalMinutes:0} min"),
        var age => string.Create(CultureInfo.InvariantCulture, $"{age.TotalSeconds:0} s"),
    };

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
