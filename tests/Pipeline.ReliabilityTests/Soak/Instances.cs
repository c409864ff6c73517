using System.Globalization;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.ReliabilityTests.Soak;

/// <summary>
/// The processes of a soak: two that run both halves, one poller and one that stands by. One that ends in a way that nobody asked for
/// ends the soak.
/// </summary>
internal sealed class Instances(PipelineOptions options) : IDisposable
{
    public const int Count = 2;

    private readonly Instance?[] instances = new Instance?[Count];

    /// <summary>Processes that died at the point that was armed in them.</summary>
    public int DiedAtPoint { get; private set; }

    public void Start(int number, (CrashPoint Point, int Occurrence)? armed = null) =>
        instances[number] = new Instance(
            LocalHostProcess.Start(options, ["run"], armed is { } a ? (a.Point, a.Occurrence, OnPoint.Die) : null), armed is not null);

    /// <summary>Starts those anew that died at their point.</summary>
    public void Tend()
    {
        for (var number = 0; number < Count; number++)
        {
            if (instances[number] is not { Ended.IsCompleted: true } ended) continue;
            var (exitCode, output) = ended.Ended.GetAwaiter().GetResult();
            Assert.True(
                ended.IsArmed && exitCode == LocalHostProcess.KilledExitCode,
                $"instance {number} ended by itself with {exitCode}\n{Tail(output)}");
            DiedAtPoint++;
            ended.Dispose();
            Start(number);
        }
    }

    public async Task KillAsync(int number)
    {
        Tend();
        await EndAsync(number, "KILL");
    }

    /// <summary>By SIGTERM: exit code 0, soon.</summary>
    public async Task TerminateAsync(int number)
    {
        Tend();
        var (exitCode, isArmed, output) = await EndAsync(number, "TERM");
        // One that was only just started has said nothing, and hears no signal yet.
        var isUnborn = exitCode == LocalHostProcess.TerminatedExitCode && output.Length == 0;
        Assert.True(
            exitCode == 0 || isUnborn || (isArmed && exitCode == LocalHostProcess.KilledExitCode),
            $"instance {number} ended with {exitCode} at SIGTERM\n{Tail(output)}");
    }

    public Task SignalAsync(int number, string signal) => instances[number]!.Process.SignalAsync(signal);

    /// <summary>Runs once, as a process of its own, and so finishes what others left half done.</summary>
    /// <param name="arguments">Further arguments of the verb.</param>
    public async Task OnceAsync(params string[] arguments)
    {
        using var run = new Instance(LocalHostProcess.Start(options, ["run", "--once", .. arguments]), isArmed: false);
        var (exitCode, output) = await EndAsync(run, "run --once");
        Assert.True(exitCode == 0, $"run --once ended with {exitCode}\n{Tail(output)}");
    }

    /// <summary>Kills all of them, for what they have said to the end.</summary>
    public async Task<string> LastWordsAsync()
    {
        var words = new StringBuilder();
        for (var number = 0; number < Count; number++)
            if (instances[number] is not null)
                words.AppendLine(CultureInfo.InvariantCulture, $"instance {number}:\n{Tail((await EndAsync(number, "KILL")).Output)}");
        return words.ToString();
    }

    public void Dispose()
    {
        foreach (var instance in instances) instance?.Dispose();
    }

    private async Task<(int ExitCode, bool IsArmed, string Output)> EndAsync(int number, string signal)
    {
        using var instance = instances[number]!;
        instances[number] = null;
        await instance.Process.SignalAsync(signal);
        var (exitCode, output) = await EndAsync(instance, $"instance {number}, after SIG{signal},");
        return (exitCode, instance.IsArmed, output);
    }

    private static async Task<ChildResult> EndAsync(Instance instance, string who)
    {
        try
        {
            return await instance.Ended.WithPatienceAsync($"{who} to end", Waiting.PatienceMax);
        }
        catch (TimeoutException e)
        {
            await instance.Process.SignalAsync("KILL");
            throw new TimeoutException($"{e.Message}\n{Tail((await instance.Ended).Output)}", e);
        }
    }

    // The end of a log says why.
    private static string Tail(string output) => output.Length <= 8_000 ? output : output[^8_000..];

    private sealed class Instance : IDisposable
    {
        public Instance(RunningProgram process, bool isArmed)
        {
            (Process, IsArmed) = (process, isArmed);
            // Read from the beginning, so that the child never waits for room in its pipe.
            Ended = process.EndAsync(Timeout.InfiniteTimeSpan);
        }

        public RunningProgram Process { get; }
        public bool IsArmed { get; }
        public Task<ChildResult> Ended { get; }

        public void Dispose() => Process.Dispose();
    }
}
