using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Capture;

/// <summary>Invariant 6: a position is only replaced by who knows it.</summary>
public sealed class WatermarkFileTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly Watermark start = Watermark.Start(
        new SourceIdentity("7", "1", "db", "public.orders", 1), new TopicIdentity("cluster", "orders", "topic"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void what_it_wrote_or_read_it_replaces()
    {
        var file = Open();
        Assert.Null(file.Read());
        Write(file, 1);
        Write(file, 2);
        var next = Open();
        Assert.Equal(2, next.Read()!.PageNumber);
        Write(next, 3);
        Assert.Equal(3, Open().Read()!.PageNumber);
    }

    [Fact]
    public void one_that_slept_leaves_its_successors_position_as_it_is()
    {
        var sleeper = Open();
        sleeper.Read();
        Write(sleeper, 1);
        var successor = Open();
        successor.Read();
        Write(successor, 5);

        var failure = Assert.Throws<PipelineException>(() => Write(sleeper, 2));
        Assert.Contains("is not as this poller wrote it", failure.Message);
        Assert.Equal(FailureAction.Retry, failure.Verdict.Action);
        Assert.Equal(5, Open().Read()!.PageNumber);
        // As its next session does.
        Assert.Equal(5, sleeper.Read()!.PageNumber);
        Write(sleeper, 6);
    }

    [Fact]
    public void one_that_was_removed_or_came_meanwhile_is_another_too()
    {
        var file = Open();
        file.Read();
        Write(file, 1);
        File.Delete(file.Path);
        Assert.Throws<PipelineException>(() => Write(file, 2));
        Assert.False(File.Exists(file.Path));

        Assert.Null(file.Read());
        var other = Open();
        other.Read();
        Write(other, 7);
        Assert.Throws<PipelineException>(() => Write(file, 2));
        Assert.Equal(7, Open().Read()!.PageNumber);
    }

    private void Write(WatermarkFile file, long page) => file.Write(start with { PageNumber = page }, CrashPoints.None);

    private WatermarkFile Open() => new(
        new PipelineOptions { Streaming = new StreamingOptions { LastProcessedTimestampLocation = folder.Path } });
}
