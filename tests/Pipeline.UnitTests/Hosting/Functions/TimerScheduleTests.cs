using OrdersStream.Hosting.Functions;

namespace OrdersStream.UnitTests.Hosting.Functions;

public sealed class TimerScheduleTests
{
    [Fact]
    public void every_interval_has_a_schedule_that_says_it() =>
        Assert.All(Enumerable.Range(1, 3_600), seconds => Assert.Equal(seconds, TimerSchedule.IntervalOf(TimerSchedule.For(seconds))));

    [Theory]
    [InlineData(1, "* * * * * *")]
    [InlineData(5, "*/5 * * * * *")]
    [InlineData(7, "00:00:07")]
    [InlineData(60, "0 * * * * *")]
    [InlineData(90, "00:01:30")]
    [InlineData(120, "0 */2 * * * *")]
    [InlineData(420, "00:07:00")]
    [InlineData(3_600, "0 0 * * * *")]
    public void a_schedule_is_written_as_one_would_write_it(int seconds, string schedule) =>
        Assert.Equal(schedule, TimerSchedule.For(seconds));

    [Theory]
    [InlineData(5, "0/5 * * * * *")]
    [InlineData(5, "2-59/5 * * * * *")]
    [InlineData(5, " */5  * * * * * ")]
    [InlineData(5, "00:00:05")]
    [InlineData(20, "0,20,40 * * * * *")]
    [InlineData(60, "30 * * * * *")]
    [InlineData(60, "*/1 * * * *")]
    [InlineData(300, "*/5 * * * *")]
    [InlineData(300, "0 3-58/5 * * * *")]
    [InlineData(3_600, "01:00:00")]
    public void equal_forms_are_equal(int seconds, string schedule) => Assert.Equal(seconds, TimerSchedule.IntervalOf(schedule));

    [Theory]
    [InlineData("")]
    [InlineData("soon")]
    [InlineData("*/7 * * * * *")]
    [InlineData("0,1 * * * * *")]
    [InlineData("*/5 * * * * 1-5")]
    [InlineData("*/5 * 9-17 * * *")]
    [InlineData("*/0 * * * * *")]
    [InlineData("61 * * * * *")]
    [InlineData("5-1 * * * * *")]
    [InlineData("* * * *")]
    [InlineData("00:00:00")]
    public void what_is_no_interval_is_none(string schedule) => Assert.Null(TimerSchedule.IntervalOf(schedule));
}
