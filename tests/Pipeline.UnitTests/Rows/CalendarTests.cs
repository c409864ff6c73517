using CsCheck;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Rows;

public sealed class CalendarTests
{
    [Fact]
    public void it_agrees_with_dotnet_on_every_day_that_dotnet_knows()
    {
        var epoch = DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;
        for (var day = DateOnly.MinValue; day < DateOnly.MaxValue; day = day.AddDays(1))
        {
            var agrees = Calendar.ToCivil(day.DayNumber - epoch) == (day.Year, day.Month, day.Day)
                && Calendar.TryFromCivil(day.Year, day.Month, day.Day, out var days) && days == day.DayNumber - epoch;
            if (!agrees) Assert.Fail($"{day:O} is another day");
        }
    }

    [Fact]
    public void days_and_dates_are_each_others_reverse() => Gen.Int.Sample(days =>
    {
        var (year, month, day) = Calendar.ToCivil(days);
        return Calendar.TryFromCivil(year, month, day, out var again) && again == days;
    });
}
