using System.Diagnostics;
using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;

namespace OrdersStream.ReliabilityTests;

/// <summary>What the child does when it reaches a crash point for the n-th time.</summary>
internal enum OnPoint
{
    /// <summary>SIGKILL to itself: nothing in it is run any more.</summary>
    Die,
    /// <summary>Says so, and goes on when SIGTERM has come.</summary>
    AwaitTerm,
}

/// <summary>The LocalHost program as a process of its own, with a crash point armed.</summary>
internal sealed class LocalHostProcess : IDisposable
{
    public const string Argument = "--local-host";
    public const int KilledExitCode = 128 + 9;

    /// <summary>By a SIGTERM that nothing in it handled.</summary>
    public const int TerminatedExitCode = 128 + 15;

    /// <summary>Variable of the child: seconds after which it is ended by force at SIGTERM, instead of its own number.</summary>
    public const string StopSeconds = "ORDERS_STREAM_TEST_STOP_SECONDS";

    private const string Reached = "reached the point";

    // Linux keeps account of each process' greatest size.
    private const string OwnStatus = "/proc/self/status", Peak = "VmHWM:";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process process;
    private readonly Task<string> errors;
    private readonly string configuration;

    private LocalHostProcess(Process process, string configuration)
    {
        (this.process, this.configuration) = (process, configuration);
        errors = process.StandardError.ReadToEndAsync();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Starts <c>run</c>.</summary>
    /// <param name="options">The configuration, handed over as a file.</param>
    /// <param name="arguments">Further arguments of the verb.</param>
    /// <param name="armed">The point, its occurrence and what to do there; null: none.</param>
    /// <param name="environment">Further variables.</param>
    public static LocalHostProcess Start(
        PipelineOptions options, string[] arguments, (CrashPoint Point, int Occurrence, OnPoint Then)? armed = null, Dictionary<string, string>? environment = null)
    {
        var configuration = Path.Combine(Directory.CreateTempSubdirectory("orders-stream-test-").FullName, "orders_stream.yml");
        File.WriteAllText(configuration, ConfigurationLoader.Print(options));
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(LocalHostProcess).Assembly.Location);
        var (point, occurrence, then) = armed ?? default;
        foreach (var argument in (string[])[
            Argument, point.ToString(), armed is null ? "0" : occurrence.ToString(CultureInfo.InvariantCulture), then.ToString(), "run", "--config", configuration, .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["Postgres__Password"] = options.Postgres.Password;
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        return new LocalHostProcess(Process.Start(start)!, configuration);
    }

    /// <summary>Runs <c>run --once</c> to its end.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> OnceAsync(PipelineOptions options, (CrashPoint Point, int Occurrence, OnPoint Then)? armed = null)
    {
        using var run = Start(options, ["--once"], armed);
        return (await run.EndAsync()).ExitCode;
    }

    /// <summary>Returns once the child stands at its point.</summary>
    public async Task UntilReachedAsync()
    {
        while (await process.StandardOutput.ReadLineAsync(Cancellation).AsTask().WaitAsync(Patience, Cancellation) is { } line)
            if (line == Reached) return;
        throw new InvalidOperationException($"the child ended with {process.ExitCode} before it reached its point\n{await errors}");
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Cancellation);
    }

    /// <summary>Waits for the end.</summary>
    public async Task<(int ExitCode, string Output)> EndAsync(TimeSpan? patience = null)
    {
        var output = process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation).WaitAsync(patience ?? Patience, Cancellation);
        return (process.ExitCode, await output + await errors);
    }

    /// <summary>The most memory that a child had, as it tells at its end.</summary>
    public static int PeakMiB(string output)
    {
        var line = output.Split('\n').Last(l => l.StartsWith(Peak, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(Peak.Length, line.Length - Peak.Length - "kB".Length), CultureInfo.InvariantCulture) / 1024;
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
        Directory.Delete(Path.GetDirectoryName(configuration)!, recursive: true);
    }

    /// <summary>The child's own side.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var (point, occurrence, then) = (Enum.Parse<CrashPoint>(args[0]), int.Parse(args[1], CultureInfo.InvariantCulture), Enum.Parse<OnPoint>(args[2]));
        using var signals = new StopSignals();
        using var term = new ManualResetEventSlim();
        using var registration = signals.Token.Register(term.Set);
        if (Environment.GetEnvironmentVariable(StopSeconds) is { } seconds) RunVerb.StopPatience = TimeSpan.FromSeconds(int.Parse(seconds, CultureInfo.InvariantCulture));
        var seen = 0;
        CrashPoints.OfProcess = new CrashPoints(reached =>
        {
            if (reached != point || Interlocked.Increment(ref seen) != occurrence) return;
            if (then == OnPoint.Die) Process.GetCurrentProcess().Kill();
            Console.WriteLine(Reached);
            term.Wait();
        });
        var exitCode = await Invocation.RunAsync(args[3..], signals.Token);
        if (File.Exists(OwnStatus)) Console.WriteLine(File.ReadLines(OwnStatus).Single(line => line.StartsWith(Peak, StringComparison.Ordinal)));
        return exitCode;
    }
}
