using System.Text;
using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

public sealed class StatusDocumentTests
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private static PipelineStatus Sample() => new()
    {
        At = At,
        Health = Health.Wrong,
        Process = new("LocalHost", At, ["PostgresToKafka"]),
        Source = new("public.orders", "localhost:5432/db", Reachable: true, CaptureIsExact: true),
        Topic = new("orders", "localhost:9092", Reachable: false),
        Lake = new(
            "lake", Reachable: true, NewestFiles: [new("order_date=2026-03-01/part-0-1-2.parquet", 0, 2, 500, At)], QuarantineCauses: []),
        Capture = new(1, 10, At.UtcDateTime, null, null, 0),
        Audit = new(At, 5, 10, 0, 1, 0, 2, 0, 1, 0, null),
        Halves = [new("PostgresToKafka", HalfState.StandingBy, Health.Well, "stands by", At, 0)],
        Partitions = [new(0, 0, 12, 10, 2, 8, 0, 1, At)],
        Flow = new("requests", At, null, null, []),
        Failures = [new("KafkaToLake", FailureAction.Retry, "<b>disk</b>", "wait", At, At, 3, Over: false)],
    };

    [Fact]
    public void names_are_snake_case_and_enums_are_words()
    {
        using var document = JsonDocument.Parse(StatusDocument.ToJson(Sample()));
        var root = document.RootElement;
        Assert.Equal("wrong", root.GetProperty("health").GetString());
        Assert.Equal("standing_by", root.GetProperty("halves")[0].GetProperty("state").GetString());
        Assert.Equal("retry", root.GetProperty("failures")[0].GetProperty("action").GetString());
        Assert.True(root.GetProperty("source").GetProperty("capture_is_exact").GetBoolean());
        Assert.Equal(1, root.GetProperty("audit").GetProperty("differences").GetInt64());
        Assert.Equal(2, root.GetProperty("lag").GetInt64());
        Assert.Equal(500, root.GetProperty("lake").GetProperty("newest_files")[0].GetProperty("bytes").GetInt64());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("topic").GetProperty("version").ValueKind);
    }

    [Fact]
    public void markup_in_a_text_cannot_end_a_script_element() =>
        Assert.DoesNotContain('<', Encoding.UTF8.GetString(StatusDocument.ToJson(Sample())));

    [Fact]
    public void lag_is_unknown_while_the_ends_of_any_partition_are() =>
        Assert.Null((Sample() with { Partitions = [new(0, 0, 12, 10, 2, 8, 0, 1, At), new(1, null, null, 10, null, 8, 0, 1, At)] }).Lag);

    /// <summary>No partition is no answer.</summary>
    [Fact]
    public void lag_is_unknown_while_there_is_no_topic() => Assert.Null((Sample() with { Partitions = [] }).Lag);
}
