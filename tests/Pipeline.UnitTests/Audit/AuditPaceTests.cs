using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Audit;

public sealed class AuditPaceTests
{
    [Theory]
    [InlineData(1_000, 1, 0, 99_000)]
    [InlineData(1_000, 50, 0, 1_000)]
    [InlineData(1_000, 100, 0, 0)]
    [InlineData(10, 50, 500, 500)]
    // A lock that was waited for is not paid for by a day.
    [InlineData(3_600_000, 1, 0, 1_800_000)]
    public void what_a_step_took_is_the_share_of_the_time_until_the_next(int workedMs, int percent, int leastMs, int pauseMs) =>
        Assert.Equal(
            TimeSpan.FromMilliseconds(pauseMs),
            AuditPace.PauseAfter(TimeSpan.FromMilliseconds(workedMs), percent, TimeSpan.FromMilliseconds(leastMs)));

    [Fact]
    public void its_state_is_read_back_and_a_file_that_cannot_be_read_is_none()
    {
        using var folder = new TempFolder();
        var file = new AuditStateFile(
            new PipelineOptions { Kafka = new() { Topic = "t" }, Streaming = new() { LastProcessedTimestampLocation = folder.Path } },
            CrashPoints.None);
        Assert.Null(file.Read());
        var state = new AuditState(new(new(Noon), new(Noon.AddMinutes(3)), 10, 1, 2, 3, 4, 5, 6, 7, 8), 99, new(Noon), "why")
        {
            DifferingRounds = 3, DeletesHeld = HeldDeletes.EmptyTable, RestIsBefore = 2,
        };
        file.Write(state);
        Assert.Equal(state, file.Read());
        Assert.Equal(18, state.Last!.Differences);
        File.WriteAllText(file.Path, "{}");
        Assert.Null(file.Read());
    }
}
