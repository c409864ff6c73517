namespace OrdersStream.Rows;

/// <summary>
/// Days and dates of the proleptic Gregorian calendar with an astronomical year (year 0 is 1 BC), for the whole range of
/// Postgres, which .NET's own types do not reach.
/// </summary>
internal static class Calendar
{
    public const long MicrosPerDay = 86_400_000_000;

    /// <summary>Days from 1970-01-01 to 2000-01-01, where Postgres counts from.</summary>
    public const int PostgresEpochDays = 10_957;

    // The year is taken to begin in March: the leap day is then its last, and months follow one rule.
    private const long DaysToMarchOfYearZero = 719_468, DaysPerEra = 146_097;

    public static (long Year, int Month, int Day) ToCivil(long days)
    {
        var shifted = days + DaysToMarchOfYearZero;
        var era = FloorDivide(shifted, DaysPerEra);
        var dayOfEra = (uint)(shifted - era * DaysPerEra);
        var yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        var dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        var marchMonth = (5 * dayOfYear + 2) / 153;
        var day = (int)(dayOfYear - (153 * marchMonth + 2) / 5 + 1);
        var month = (int)(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9);
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day);
    }

    /// <summary>Days since 1970-01-01, or false where there is no such day.</summary>
    public static bool TryFromCivil(long year, int month, int day, out long days)
    {
        days = 0;
        if (month is < 1 or > 12 || day < 1 || day > DaysInMonth(year, month)) return false;
        if (month <= 2) year--;
        var era = FloorDivide(year, 400);
        var yearOfEra = year - era * 400;
        var dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        var dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
        days = era * DaysPerEra + dayOfEra - DaysToMarchOfYearZero;
        return true;
    }

    public static (long Days, long MicrosOfDay) SplitDay(long micros)
    {
        var days = FloorDivide(micros, MicrosPerDay);
        return (days, micros - days * MicrosPerDay);
    }

    private static int DaysInMonth(long year, int month) => month switch
    {
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    private static long FloorDivide(long dividend, long divisor)
    {
        var quotient = dividend / divisor;
        return quotient * divisor > dividend ? quotient - 1 : quotient;
    }
}
