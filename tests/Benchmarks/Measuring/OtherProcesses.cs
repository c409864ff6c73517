using System.Diagnostics;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>
/// How much of the machine went to processes that are no part of the benchmark. Part of it are this process, those that listen on
/// the servers' ports, and their descendants.
/// </summary>
internal sealed class OtherProcesses(IEnumerable<int> ports)
{
    /// <summary>Above this share of the machine a measurement does not count.</summary>
    public const double ShareMax = 0.1;

    private readonly List<int> roots = [Environment.ProcessId, .. ports.SelectMany(ProcessTimes.Listeners)];

    public Span Begin() => new(this, Stopwatch.GetTimestamp(), Machine.BusySeconds() - OursSeconds());

    private double OursSeconds() => ProcessTimes.OfTrees(roots);

    /// <summary>A time that is being looked at.</summary>
    internal sealed class Span(OtherProcesses others, long begun, double othersAtBegin)
    {
        /// <summary>The others' share of all cores since it began.</summary>
        public double Share() => Math.Max(0, Machine.BusySeconds() - others.OursSeconds() - othersAtBegin)
            / Stopwatch.GetElapsedTime(begun).TotalSeconds / Environment.ProcessorCount;
    }
}
