using System.Diagnostics;
using System.Runtime.InteropServices;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>What a child process took from its start to its end.</summary>
/// <param name="WallSeconds">Start to end.</param>
/// <param name="CpuSeconds">User and system.</param>
/// <param name="PeakRssBytes">The most memory that it had resident.</param>
internal sealed record ChildCost(double WallSeconds, double CpuSeconds, long PeakRssBytes);

/// <summary>
/// A child process that is measured. One at a time, and nothing else is started meanwhile, not even to send a signal: the kernel sums up
/// the processor time of all that have ended.
/// </summary>
internal sealed partial class Child : IDisposable
{
    private const int RusageChildren = -1;
    private const int Terminate = 15, Continue = 18, Stop = 19;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    private readonly Process process;
    private readonly List<string> output = [];
    private readonly double endedChildrenSeconds = EndedChildrenSeconds();
    private readonly Task<long> peak;

    private Child(ProcessStartInfo start)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        StartedAt = Stopwatch.GetTimestamp();
        process = Process.Start(start)!;
        Id = process.Id;
        process.StandardInput.Close();
        process.OutputDataReceived += Collect;
        process.ErrorDataReceived += Collect;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        peak = Task.Run(WatchMemoryAsync);
    }

    public int Id { get; }

    /// <summary>By <see cref="Stopwatch"/>.</summary>
    public long StartedAt { get; }

    public bool HasEnded => process.HasExited;

    /// <summary>What it has said until now, on both streams.</summary>
    public IReadOnlyList<string> Output
    {
        get { lock (output) return [.. output]; }
    }

    /// <summary>This program again, with other arguments.</summary>
    public static Child StartSelf(IEnumerable<string> arguments, params (string Name, string? Value)[] environment) =>
        Start(ThisProgram.StartInfo(typeof(Child), arguments), environment);

    public static Child Start(string program, IEnumerable<string> arguments, params (string Name, string? Value)[] environment) =>
        Start(new ProcessStartInfo(program, arguments), environment);

    private static Child Start(ProcessStartInfo start, (string Name, string? Value)[] environment)
    {
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new Child(start);
    }

    /// <summary>Processor time until now.</summary>
    public double CpuSeconds() => HasEnded ? throw Failed("it ended") : ProcessTimes.ExactSeconds(Id);

    public void SendTerm() => Kill(Id, Terminate);

    /// <summary>It gets no processor until it is let go on.</summary>
    public void Halt() => Kill(Id, Stop);

    public void GoOn() => Kill(Id, Continue);

    /// <summary>Waits for its end, which must be a good one.</summary>
    public async Task<ChildCost> EndAsync(CancellationToken cancellationToken)
    {
        await process.WaitForExitAsync(cancellationToken);
        var wall = Stopwatch.GetElapsedTime(StartedAt).TotalSeconds;
        if (process.ExitCode != 0) throw Failed($"exit code {process.ExitCode}");
        return new(wall, EndedChildrenSeconds() - endedChildrenSeconds, await peak);
    }

    public BenchmarkException Failed(string how) =>
        new(
            $"{Path.GetFileName(process.StartInfo.FileName)} {string.Join(' ', process.StartInfo.ArgumentList)}: "
            + $"{how}\n  {string.Join("\n  ", Output.TakeLast(20))}");

    public void Dispose()
    {
        if (!process.HasExited)
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }
        process.Dispose();
    }

    private void Collect(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null) return;
        lock (output) output.Add(line.Data);
    }

    // A process that has ended shows none: the last look counts.
    private async Task<long> WatchMemoryAsync()
    {
        var most = 0L;
        using var timer = new PeriodicTimer(Tick);
        while (PeakRssBytes() is { } now)
        {
            most = now;
            await timer.WaitForNextTickAsync();
        }
        return most;
    }

    private long? PeakRssBytes()
    {
        try
        {
            return File.ReadLines($"/proc/{Id}/status").FirstOrDefault(l => l.StartsWith("VmHWM", StringComparison.Ordinal)) is { } line
                ? Machine.Number(line) * 1024 : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static double EndedChildrenSeconds()
    {
        var usage = new long[18];
        if (GetResourceUsage(RusageChildren, usage) != 0) throw new BenchmarkException("getrusage failed");
        return usage[0] + usage[2] + (usage[1] + usage[3]) / 1e6;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetResourceUsage(int who, [Out] long[] usage);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
