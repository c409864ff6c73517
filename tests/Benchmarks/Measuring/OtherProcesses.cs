using System.Diagnostics;
using System.Globalization;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>
/// How much of the machine went to processes that are no part of the benchmark. Part of it are this process, those that listen on
/// the servers' ports, and their descendants.
/// </summary>
internal sealed class OtherProcesses(IEnumerable<int> ports)
{
    /// <summary>Above this share of the machine a measurement does not count.</summary>
    public const double ShareMax = 0.1;

    private readonly List<int> roots = [Environment.ProcessId, .. ports.SelectMany(Listeners)];

    public Span Begin() => new(this, Stopwatch.GetTimestamp(), Machine.BusySeconds() - OursSeconds());

    private double OursSeconds()
    {
        var all = ProcessTimes.All().ToList();
        var children = all.ToLookup(p => p.Parent);
        var ours = all.Where(p => roots.Contains(p.Id)).ToDictionary(p => p.Id);
        var open = new Queue<int>(ours.Keys);
        while (open.TryDequeue(out var id))
            foreach (var child in children[id])
                if (ours.TryAdd(child.Id, child)) open.Enqueue(child.Id);
        return ours.Values.Sum(p => p.Seconds);
    }

    private static IEnumerable<int> Listeners(int port)
    {
        var sockets = new[] { "/proc/net/tcp", "/proc/net/tcp6" }.Where(File.Exists).SelectMany(f => File.ReadLines(f).Skip(1))
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(
                f => f[3] == "0A"
                    && int.Parse(f[1][(f[1].LastIndexOf(':') + 1)..], NumberStyles.HexNumber, CultureInfo.InvariantCulture) == port)
            .Select(f => $"socket:[{f[9]}]").ToHashSet();
        return ProcessTimes.All().Select(p => p.Id).Where(id => Descriptors(id).Any(sockets.Contains));
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

    /// <summary>A time that is being looked at.</summary>
    internal sealed class Span(OtherProcesses others, long begun, double othersAtBegin)
    {
        /// <summary>The others' share of all cores since it began.</summary>
        public double Share() => Math.Max(0, Machine.BusySeconds() - others.OursSeconds() - othersAtBegin)
            / Stopwatch.GetElapsedTime(begun).TotalSeconds / Environment.ProcessorCount;
    }
}
