namespace OrdersStream.Benchmarks.Measuring;

/// <summary>Processor time and parentage of a process, as /proc shows them.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Parent">Its parent's number.</param>
/// <param name="OwnSeconds">User and system time of its own.</param>
/// <param name="WithChildrenSeconds">The same with that of its children that have ended.</param>
internal sealed record ProcessTimes(int Id, int Parent, double OwnSeconds, double WithChildrenSeconds)
{
    /// <summary>Null where there is no such process (any more).</summary>
    public static ProcessTimes? Of(int id)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{id}/stat");
            // The name stands in parentheses and may hold any character; state is the first field behind it.
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            var own = Machine.Parse(fields[11]) + Machine.Parse(fields[12]);
            var children = Machine.Parse(fields[13]) + Machine.Parse(fields[14]);
            return new(id, (int)Machine.Parse(fields[1]), own / Machine.TicksPerSecond, (own + children) / Machine.TicksPerSecond);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Time on a processor to the nanosecond, of a process of one thread, as a Postgres session is.</summary>
    public static double ExactSeconds(int id) => Machine.Parse(File.ReadAllText($"/proc/{id}/schedstat").Split(' ')[0]) / 1e9;

    public static IEnumerable<ProcessTimes> All() =>
        Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var id) ? Of(id) : null).OfType<ProcessTimes>();
}
