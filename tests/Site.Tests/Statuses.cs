using OrdersStream.Diagnostics;
using OrdersStream.Status;

namespace OrdersStream.Site.Tests;

/// <summary>Statuses to show.</summary>
internal static class Statuses
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>An hour of steady traffic.</summary>
    public static PipelineStatus Well(long rows = 1_234_567) => new()
    {
        At = At,
        Process = new("LocalHost", At.AddHours(-2), ["PostgresToKafka", "KafkaToLake"]),
        Source = new(
            "public.ab12_orders", "db.example:5432/food_delivery_db", Reachable: true, "15.8", 1_200_000, true,
            "exact: open transactions are seen, however long they take",
            new(4711, "orders-stream", "10.0.0.7", At.AddHours(-2).UtcDateTime),
            new("open", At.AddSeconds(-12).UtcDateTime, 12.3, 815, "psql")),
        Topic = new("ab12_food_orders_raw", "kafka.example:9092", Reachable: true, "3.9-IV0", 1, true),
        Lake = new(
            "/datalake/food/ab12/output/orders", Reachable: true, rows, 321, 0,
            [
                .. Enumerable.Range(0, 10).Select(
                    i => new LakeFileStatus(
                        $"order_date=2026-03-01/part-{i % 4}-{9_000 - i}-{9_999 - i}.parquet", i % 4, 1_000, 45_678,
                        At.AddSeconds(-1 - i)))],
            []),
        Capture = new(512, 1_240_000, At.AddSeconds(-2).UtcDateTime, At.AddSeconds(-12).UtcDateTime, null, 2.1),
        Audit = new(At.AddHours(-2), 7_200, 1_234_567, 0, 0, 0, 7, 0, 0, 0, null),
        LagMaxSeconds = 50,
        Halves = [Half("PostgresToKafka", HalfState.Running, Health.Well), Half("KafkaToLake", HalfState.Running, Health.Well)],
        Partitions =
        [
            .. Enumerable.Range(0, 4)
                .Select(p => new PartitionStatus(p, 0, 310_000, 309_000 + p, 1_000 - p, 308_642, 0, 80, At.AddSeconds(-1))),
        ],
        Flow = new("process", At.AddHours(-1), 842.4, 838, [.. Enumerable.Range(0, 700).Select(i => new FlowSample(
            At.AddSeconds(-3_500 + i * 5), 800 + 200 * Math.Sin(i / 40.0), 790 + 220 * Math.Sin(i / 40.0 - 0.3), 2 + i % 3,
            900 + i % 7 * 50, 3 + i % 4, Health.Well, 4 + i % 5 * 0.3))])
        {
            LastPublishedAt = At.AddSeconds(-1), LastStoredAt = At.AddSeconds(-1),
        },
    };

    /// <summary>
    /// The same with a peak of fifty times the rest, ten minutes in which something was wrong, as long with nobody, and a lag that grows.
    /// </summary>
    public static PipelineStatus Uneven() => Well() with
    {
        Flow = Well().Flow with
        {
            Samples =
            [
                .. Well().Flow.Samples.Index().Where(s => s.Index is < 400 or >= 520).Select(s => s.Item with
                {
                    PublishedPerSecond = s.Index is >= 100 and < 106 ? 50_000 : s.Item.PublishedPerSecond,
                    Health = s.Index is >= 200 and < 320 ? Health.Wrong : Health.Well,
                    CaptureLagSeconds = s.Index >= 695 ? 600 : s.Item.CaptureLagSeconds,
                }),
            ],
        },
    };

    /// <summary>The lake's disk is read-only: both servers and the lake can be read, and nothing is stored.</summary>
    public static PipelineStatus ReadOnly() => Well() with
    {
        Health = Health.Wrong,
        Halves =
        [
            Half("PostgresToKafka", HalfState.Running, Health.Well),
            Half("KafkaToLake", HalfState.Retrying, Health.Wrong) with
            {
                Says = "LocalHost, process 17 on a, has tried again since 2026-03-01 11:58:23: The file system is read-only "
                    + "('/datalake/food'). Mount the file system of datalake.path and the streaming folders writable.",
                LagSeconds = 97,
            },
        ],
        // What was committed since holds no rows.
        Partitions = [.. Well().Partitions.Select(p => p with { CommittedAt = At.AddSeconds(-7) })],
        Lake = Well().Lake with { NewestFiles = [.. Well().Lake.NewestFiles.Select(f => f with { CommittedAt = At.AddSeconds(-97) })] },
        Flow = Well().Flow with { StoredPerSecond = 0, LastStoredAt = At.AddSeconds(-95) },
        Failures =
        [
            new(
                "KafkaToLake", FailureAction.Retry, "The file system is read-only ('/datalake/food').",
                "Mount the file system of datalake.path and the streaming folders writable.", At.AddSeconds(-97), At, 9, Over: false),
        ],
    };

    /// <summary>Kafka is down in an initial load, and records are in quarantine.</summary>
    public static PipelineStatus Wrong() => Well() with
    {
        Health = Health.Wrong,
        Halves =
        [
            Half("PostgresToKafka", HalfState.Running, Health.Well),
            Half("KafkaToLake", HalfState.Retrying, Health.Wrong) with { LagSeconds = null, LagSecondsMin = 31 },
        ],
        Topic = new("ab12_food_orders_raw", "kafka.example:9092", Reachable: false),
        Lake = Well().Lake with
        {
            Quarantined = 3, QuarantineCauses = [new("amount is no number", 2), new("the value is no JSON object", 1)],
        },
        Capture = new(
            1, 600_000, null, null, new(1, "initial load", 60, 600_000, 1_200_000, 0.5, At.AddMinutes(-2).UtcDateTime, 5_000, 120)),
        Partitions =
        [
            .. Enumerable.Range(0, 4)
                .Select(p => new PartitionStatus(p, null, null, 309_000 + p, null, 308_642, p == 2 ? 3 : 0, 80, At.AddSeconds(-1))),
        ],
        Findings =
        [
            new("topic", "Kafka failed (Local_Transport: broker transport failure).", "Check kafka.brokers and that the brokers run."),
        ],
        Warnings = ["no index begins with updated_at: every poll reads the whole table"],
        Failures =
        [
            new(
                "PostgresToKafka", FailureAction.Retry, "Postgres did not answer in time.", "Check the server and the network.",
                At.AddMinutes(-30), At.AddMinutes(-29), 4, Over: true),
            new(
                "KafkaToLake", FailureAction.Retry, "Kafka failed (1/1 brokers are down).", Verdict("Kafka failed").Remedy,
                At.AddMinutes(-2), At, 19, Over: false),
        ],
    };

    /// <summary>Both servers can be reached, and nobody stores what comes; of capture it cannot be told.</summary>
    public static PipelineStatus Abandoned() => Well() with
    {
        Health = Health.Wrong,
        Halves =
        [
            Half("PostgresToKafka", HalfState.Nobody, Health.Unknown),
            Half("KafkaToLake", HalfState.Nobody, Health.Wrong) with
            {
                Says = "nobody runs it. Start it: 'run'.", Remedy = "Start it: 'run'.",
            },
        ],
    };

    /// <summary>As it is noted of what is tried again.</summary>
    private static FailureVerdict Verdict(string problem) =>
        new(FailureAction.Retry, problem, "Check kafka.brokers and that the brokers run.", SeesItself: true);

    private static HalfStatus Half(string name, HalfState state, Health health) =>
        new(name, state, health, "says what it is at", At.AddHours(-2), 4.2);

    /// <summary>Rows are held back behind a prepared transaction, and a session hides its own.</summary>
    public static PipelineStatus HeldBack() => Well() with
    {
        Health = Health.Wrong,
        Source = Well().Source with { HiddenTransaction = new("hidden", At.AddMinutes(-3).UtcDateTime, 180, 77, "subscriber") },
        Capture = new(
            512, 1_240_000, At.AddMinutes(-10).UtcDateTime, At.AddMinutes(-11).UtcDateTime, null, 600,
            new(At.AddMinutes(-10).UtcDateTime, new("prepared", At.AddMinutes(-12).UtcDateTime, 720, null, null))),
        Findings =
        [
            new(
                "capture",
                "Committed rows are held back: more than 100000 transactions were committed behind one that is prepared for 720 s.",
                "They are published when it ends."),
        ],
    };

    /// <summary>The same with markup in every text that comes from elsewhere.</summary>
    public static PipelineStatus WithMarkup(string markup) => Wrong() with
    {
        Source = Well().Source with
        {
            Table = $"public.{markup}", Address = markup, CaptureMode = markup, Version = markup,
            Poller = new(1, markup, markup, At.UtcDateTime),
        },
        Topic = new(markup, markup, Reachable: true, markup, 1, true),
        Lake = Well().Lake with { Path = markup, NewestFiles = [new(markup, 0, 1, 1, At)], QuarantineCauses = [new(markup, 1)] },
        Process = new(markup, At, [markup]),
        Halves = [new("PostgresToKafka", HalfState.Nobody, Health.Wrong, markup, null, null)],
        Findings = [new(markup, markup, markup)], Warnings = [markup],
        Failures = [new(markup, FailureAction.Stop, markup, markup, At, At, 1, Over: false)],
    };
}
