using System.Globalization;
using System.Runtime.InteropServices;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>The machine as Linux describes it: only there can all this be measured.</summary>
internal static class Machine
{
    /// <summary>Ticks of /proc a second: the same on every Linux that .NET runs on.</summary>
    public const double TicksPerSecond = 100;

    public static string Describe()
    {
        var model = File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "processor";
        var kilobytes = Number(File.ReadLines("/proc/meminfo").First(l => l.StartsWith("MemTotal", StringComparison.Ordinal)));
        return $"{Environment.ProcessorCount} cores ({model}), {kilobytes / 1024.0 / 1024:0.0} GiB, {RuntimeInformation.OSDescription}, "
            + $"{RuntimeInformation.FrameworkDescription}";
    }

    /// <summary>Seconds in which some core was busy or taken away, since the machine was started; the cores' sum.</summary>
    public static double BusySeconds()
    {
        // cpu user nice system idle iowait irq softirq steal ...; the guests' time is in user already
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9].Select(Parse).ToArray();
        return (fields.Sum() - fields[3] - fields[4]) / TicksPerSecond;
    }

    public static long Number(string line) => Parse(line.Split(' ', '\t').Last(w => w.Length > 0 && char.IsAsciiDigit(w[0])));

    public static long Parse(string digits) => long.Parse(digits, CultureInfo.InvariantCulture);
}
