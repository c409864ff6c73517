using System.Globalization;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// What a timer trigger's schedule says of an interval: six NCRONTAB fields (second, minute, hour, day, month, weekday; five without the
/// seconds), or <c>hh:mm:ss</c> for an interval that divides no minute or hour.
/// </summary>
internal static class TimerSchedule
{
    private const int SecondsOfDay = 24 * 60 * 60;

    /// <summary>The schedule of an interval of 1 to 3600 seconds.</summary>
    public static string For(int seconds) => seconds switch
    {
        1 => "* * * * * *",
        < 60 when 60 % seconds == 0 => string.Create(CultureInfo.InvariantCulture, $"*/{seconds} * * * * *"),
        60 => "0 * * * * *",
        < 3_600 when 3_600 % seconds == 0 && seconds % 60 == 0 =>
            string.Create(CultureInfo.InvariantCulture, $"0 */{seconds / 60} * * * *"),
        3_600 => "0 0 * * * *",
        _ => TimeSpan.FromSeconds(seconds).ToString("c", CultureInfo.InvariantCulture),
    };

    /// <summary>The schedule's interval, whichever of the equal forms it has; null where it has none, or is no schedule.</summary>
    public static int? IntervalOf(string schedule)
    {
        if (TimeSpan.TryParseExact(schedule.Trim(), @"h\:m\:s", CultureInfo.InvariantCulture, out var span))
            return (int)span.TotalSeconds is > 0 and var s ? s : null;
        var fields = schedule.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length == 5) fields = ["0", .. fields];
        if (fields.Length != 6 || fields[3..].Any(f => f is not ("*" or "*/1"))) return null;
        if (Values(fields[0], 59) is not { } seconds || Values(fields[1], 59) is not { } minutes) return null;
        if (Values(fields[2], 23) is not { } hours) return null;
        var times = (from h in hours from m in minutes from s in seconds select (h * 60 + m) * 60 + s).ToList();
        var intervals = times.Select((t, i) => i + 1 < times.Count ? times[i + 1] - t : times[0] + SecondsOfDay - t).Distinct().ToList();
        return intervals.Count == 1 ? intervals[0] : null;
    }

    // One field: *, a value, a range, each with /step, or a list of these.
    private static SortedSet<int>? Values(string field, int max)
    {
        var values = new SortedSet<int>();
        foreach (var part in field.Split(','))
        {
            var slash = part.IndexOf('/', StringComparison.Ordinal);
            var range = slash < 0 ? part : part[..slash];
            var step = slash < 0 ? 1 : Number(part[(slash + 1)..], max + 1);
            var dash = range.IndexOf('-', StringComparison.Ordinal);
            int? from = range == "*" ? 0 : Number(dash < 0 ? range : range[..dash], max);
            var to = range == "*" || (dash < 0 && slash >= 0) ? max : dash < 0 ? from : Number(range[(dash + 1)..], max);
            if (from is null || to is null || step is null or 0 || from > to) return null;
            for (var value = from.Value; value <= to; value += step.Value) values.Add(value);
        }
        return values;
    }

    private static int? Number(string text, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= max ? number : null;
}
