using System.Diagnostics;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>Lines on standard error while it works.</summary>
internal sealed class Progress
{
    private readonly long begun = Stopwatch.GetTimestamp();

    public void Say(string what) => Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(begun).TotalSeconds,6:0} s  {what}");
}
