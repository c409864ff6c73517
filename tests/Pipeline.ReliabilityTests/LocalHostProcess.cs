using System.Diagnostics;
using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

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
internal static class LocalHostProcess
{
    public const string Argument = "--local-host";
    public const int KilledExitCode = 128 + 9;

    /// <summary>By a SIGTERM that nothing in it handled.</summary>
    public const int TerminatedExitCode = 128 + 15;

    // Seconds after which the child is ended by force at SIGTERM, instead of its own number.
    private const string StopSeconds = "ORDERS_STREAM_TEST_STOP_SECONDS";

    // Seconds that run --once waits for the transaction behind which rows are held back, instead of its own number.
    private const string HeldBackSeconds = "ORDERS_STREAM_TEST_HELD_BACK_SECONDS";

    // Which assemblies it has loaded is told at its end.
    private const string TellLoaded = "ORDERS_STREAM_TEST_TELL_LOADED";

    private const string Reached = "reached the point";

    // Linux keeps account of each process' greatest size.
    private const string OwnStatus = "/proc/self/status", Peak = "VmHWM:";

    /// <summary>The last resort of a stop is out of its way: what ends then has ended by itself.</summary>
    public static void WithoutLastResort(ProcessStartInfo start) => start.Environment[StopSeconds] = "600";

    /// <summary>Rows that are held back are waited for no longer than it takes to look.</summary>
    public static void WithoutPatience(ProcessStartInfo start) => start.Environment[HeldBackSeconds] = "1";

    /// <summary>It says at its end what it has loaded.</summary>
    public static void TellingWhatIsLoaded(ProcessStartInfo start) => start.Environment[TellLoaded] = "true";

    /// <summary>Starts a verb.</summary>
    /// <param name="options">The configuration, handed over as a file.</param>
    /// <param name="command">The verb and its further arguments.</param>
    /// <param name="armed">The point, its occurrence and what to do there; null: none.</param>
    /// <param name="configure">What is different at its start.</param>
    public static RunningProgram Start(
        PipelineOptions options, string[] command, (CrashPoint Point, int Occurrence, OnPoint Then)? armed = null,
        Action<ProcessStartInfo>? configure = null)
    {
        var folder = new TestFolder();
        var configuration = folder.PathOf("orders_stream.yml");
        File.WriteAllText(configuration, ConfigurationLoader.Print(options));
        var (point, occurrence, then) = armed ?? default;
        var start = ThisProgram.StartInfo(typeof(LocalHostProcess), [
            Argument, point.ToString(), armed is null ? "0" : occurrence.ToString(CultureInfo.InvariantCulture), then.ToString(),
            command[0], "--config", configuration, .. command[1..]]);
        start.Environment["Postgres__Password"] = options.Postgres.Password;
        configure?.Invoke(start);
        return new RunningProgram(start, folder);
    }

    /// <summary>Runs <c>run --once</c> to its end.</summary>
    /// <returns>The exit code.</returns>
    public static async Task<int> OnceAsync(PipelineOptions options, (CrashPoint Point, int Occurrence, OnPoint Then)? armed = null)
    {
        using var run = Start(options, ["run", "--once"], armed);
        return (await run.EndAsync()).ExitCode;
    }

    /// <summary>Returns once the child stands at its point.</summary>
    public static Task UntilReachedAsync(this RunningProgram child) => child.UntilSaidAsync(Reached);

    /// <summary>The most memory that a child had, as it tells at its end.</summary>
    public static int PeakMiB(string output)
    {
        var line = output.Split('\n').Last(l => l.StartsWith(Peak, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(Peak.Length, line.Length - Peak.Length - "kB".Length), CultureInfo.InvariantCulture) / 1024;
    }

    /// <summary>The child's own side.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var (point, occurrence, then) = (
            Enum.Parse<CrashPoint>(args[0]), int.Parse(args[1], CultureInfo.InvariantCulture), Enum.Parse<OnPoint>(args[2]));
        using var signals = new StopSignals();
        using var term = new ManualResetEventSlim();
        using var registration = signals.Token.Register(term.Set);
        if (Environment.GetEnvironmentVariable(StopSeconds) is { } seconds)
            RunVerb.StopTimeout = TimeSpan.FromSeconds(int.Parse(seconds, CultureInfo.InvariantCulture));
        if (Environment.GetEnvironmentVariable(HeldBackSeconds) is { } patience)
            PostgresToKafkaLoop.HeldBackTimeout = TimeSpan.FromSeconds(int.Parse(patience, CultureInfo.InvariantCulture));
        var seen = 0;
        CrashPoints.OfProcess = new CrashPoints(reached =>
        {
            if (reached != point || Interlocked.Increment(ref seen) != occurrence) return;
            if (then == OnPoint.Die) Process.GetCurrentProcess().Kill();
            Console.WriteLine(Reached);
            term.Wait();
        });
        var exitCode = await Invocation.RunAsync(args[3..], signals.Token);
        if (File.Exists(OwnStatus))
            Console.WriteLine(File.ReadLines(OwnStatus).Single(line => line.StartsWith(Peak, StringComparison.Ordinal)));
        if (Environment.GetEnvironmentVariable(TellLoaded) is not null)
            Console.WriteLine(string.Join(' ', AppDomain.CurrentDomain.GetAssemblies().Select(a => a.GetName().Name)));
        return exitCode;
    }
}
