using System.Globalization;
using System.Runtime.InteropServices;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>Processor time and parentage of a process, as /proc shows them.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Parent">Its parent's number.</param>
/// <param name="Seconds">User and system time, that of its children that have ended included.</param>
internal sealed partial record ProcessTimes(int Id, int Parent, double Seconds)
{
    private const int ProcessorClock = 2;

    /// <summary>Null where there is no such process (any more).</summary>
    public static ProcessTimes? Of(int id)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{id}/stat");
            // The name stands in parentheses and may hold any character; state is the first field behind it.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return new(id, (int)Machine.Parse(fields[1]), fields[11..15].Sum(Machine.Parse) / Machine.TicksPerSecond);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>User and system time of a process until now: exact, where /proc counts in ticks of 10 ms.</summary>
    public static double ExactSeconds(int id)
    {
        // The kernel's name for the clock of another process: its number's complement, and which of its clocks.
        var time = new long[2];
        if (GetTime((~id << 3) | ProcessorClock, time) != 0) throw new BenchmarkException($"process {id} is gone");
        return time[0] + time[1] / 1e9;
    }

    public static IEnumerable<ProcessTimes> All() =>
        Directory.EnumerateDirectories("/proc")
            .Select(d => int.TryParse(Path.GetFileName(d), out var id) ? Of(id) : null).OfType<ProcessTimes>();

    /// <summary>Of some processes and all that descend from them.</summary>
    public static double OfTrees(IReadOnlyCollection<int> roots)
    {
        var all = All().ToList();
        var children = all.ToLookup(p => p.Parent);
        var taken = all.Where(p => roots.Contains(p.Id)).ToDictionary(p => p.Id);
        var open = new Queue<int>(taken.Keys);
        while (open.TryDequeue(out var id))
            foreach (var child in children[id])
                if (taken.TryAdd(child.Id, child)) open.Enqueue(child.Id);
        return taken.Values.Sum(p => p.Seconds);
    }

    /// <summary>Those that listen on a port.</summary>
    public static IEnumerable<int> Listeners(int port)
    {
        var sockets = new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists).SelectMany(f => File.ReadLines(f).Skip(1))
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(
                f => f[3] == "0A"
                    && int.Parse(f[1][(f[1].LastIndexOf(':') + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
            .Select(f => $"socket:[{f[9]}]").ToHashSet();
        return All().Select(p => p.Id).Where(id => Descriptors(id).Any(sockets.Contains));
    }

    private static List<string> Descriptors(int id)
    {
        try
        {
            return [.. Directory.EnumerateFiles($"/proc/{id}/fd").Select(f => new FileInfo(f).LinkTarget ?? "")];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, [Out] long[] time);
}
