using System.Security.Cryptography;
using System.Text;
using OrdersStream.Durable;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests.Soak;

/// <summary>Every fault of the suite, in an order and with durations that a seed decides; some of them strike two at once.</summary>
internal sealed class Faults(FaultyServers servers, TestStream stream, Instances instances, Random random)
{
    private const string PostgresRestarted = "Postgres restarted";
    private const string PostgresCrashed = "Postgres crashed";

    private static readonly CrashPoint[] Points = Enum.GetValues<CrashPoint>();

    // What the names of this lake's hidden files have in common.
    private readonly string writerPrefix = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        Path.GetFileName(Directory.GetDirectories(CommitLogs(stream)).Single()))))[..8];

    /// <summary>How often each kind struck.</summary>
    public SortedDictionary<string, int> Struck { get; } = new(StringComparer.Ordinal);

    /// <summary>How often Postgres was started anew.</summary>
    public int ServerStarts => Struck.GetValueOrDefault(PostgresRestarted) + Struck.GetValueOrDefault(PostgresCrashed);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>One fault, or one of the processes and one of their surroundings at the same time, to its end.</summary>
    /// <returns>What it was.</returns>
    public async Task<string> StrikeAsync()
    {
        instances.Tend();
        var which = random.Next(4);
        List<(string Kind, Func<Task> Strike)> faults = [];
        if (which != 1) faults.Add(Surroundings());
        if (which is 0 or 1) faults.Add(Processes());
        foreach (var (kind, _) in faults) Struck[kind] = Struck.GetValueOrDefault(kind) + 1;
        // Choices are made before, one after the other: what happens at the same time must not decide what the seed's next one is.
        await Task.WhenAll(faults.Select(f => f.Strike()));
        return string.Join(" + ", faults.Select(f => f.Kind));
    }

    private (string, Func<Task>) Processes()
    {
        var (number, pause) = (random.Next(Instances.Count), Pause(2_000));
        var (point, occurrence, frozen) = (Points[random.Next(Points.Length)], random.Next(1, 6), Pause(15_000));
        return random.Next(7) switch
        {
            0 or 1 => ("process killed", async () =>
            {
                await instances.KillAsync(number);
                await Task.Delay(pause, Cancellation);
                instances.Start(number);
            }),
            2 => ("process terminated", async () =>
            {
                await instances.TerminateAsync(number);
                await Task.Delay(pause, Cancellation);
                instances.Start(number);
            }),
            3 => ("crash point armed", async () =>
            {
                await instances.TerminateAsync(number);
                instances.Start(number, (point, occurrence));
            }),
            4 => ("process frozen", async () =>
            {
                await instances.SignalAsync(number, "STOP");
                await Task.Delay(frozen, Cancellation);
                await instances.SignalAsync(number, "CONT");
            }),
            5 => ("watermark file lost", () => WhileStoppedAsync(() =>
            {
                Remove(stream.Options.Streaming.LastProcessedTimestampLocation);
                return Task.CompletedTask;
            })),
            _ => ("commit log lost", () => WhileStoppedAsync(LoseCommitLogAsync)),
        };
    }

    private (string, Func<Task>) Surroundings()
    {
        var (proxy, side) = random.Next(2) == 0 ? (servers.PostgresProxy, "Postgres") : (servers.KafkaProxy, "Kafka");
        var (pause, delay) = (Pause(5_000), Pause(3_000));
        return random.Next(11) switch
        {
            0 => ("broker killed", async () =>
            {
                await servers.Kafka!.Own.KillAsync();
                await Task.Delay(pause, Cancellation);
                await servers.Kafka.Own.StartAgainAsync();
            }),
            1 => (PostgresRestarted, () => servers.Postgres!.RestartAsync()),
            2 => (PostgresCrashed, () => servers.Postgres!.CrashAsync()),
            3 => (
                "sessions terminated",
                () => ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orders-stream'")),
            4 => ("vacuum freeze", () => ExecuteAsync("VACUUM (FREEZE) items")),
            5 => ("leftover file", LeaveFileAsync),
            6 => ($"{side} reset", () =>
            {
                proxy.Cut();
                return Task.CompletedTask;
            }),
            7 => ($"{side} away", () => ForAsync(pause, on =>
            {
                proxy.Refuses = on;
                if (on) proxy.Cut();
            })),
            8 => ($"{side} half-closed", () =>
            {
                proxy.HalfClose();
                return Task.CompletedTask;
            }),
            9 => ($"{side} delayed", () => ForAsync(pause, on => proxy.Delay = on ? delay : TimeSpan.Zero)),
            _ => ($"{side} answers lost", () => ForAsync(pause, on =>
            {
                proxy.SwallowsAnswers = on;
                if (!on) proxy.Cut();
            })),
        };
    }

    private TimeSpan Pause(int mostMs) => TimeSpan.FromMilliseconds(random.Next(mostMs));

    private static async Task ForAsync(TimeSpan duration, Action<bool> turn)
    {
        turn(true);
        await Task.Delay(duration, Cancellation);
        turn(false);
    }

    private Task ExecuteAsync(string sql) => stream.ExecuteAsync(sql);

    private async Task WhileStoppedAsync(Func<Task> act)
    {
        for (var number = 0; number < Instances.Count; number++) await instances.TerminateAsync(number);
        await act();
        for (var number = 0; number < Instances.Count; number++) instances.Start(number);
    }

    /// <summary>
    /// As docs/operations.md has it done: a hidden file might hold what the lost log had committed, so no commit is left half done.
    /// </summary>
    private async Task LoseCommitLogAsync()
    {
        await instances.OnceAsync("--only", "kafka-to-lake");
        foreach (var file in TemporaryFiles(stream)) File.Delete(file);
        Remove(CommitLogs(stream));
    }

    /// <summary>As a writer leaves it that was killed: of no commit, and torn.</summary>
    private Task LeaveFileAsync() => File.WriteAllTextAsync(
        Path.Combine(
            stream.Options.Datalake.Path, $".part-0-{long.MaxValue - 1}-{long.MaxValue}.parquet.{writerPrefix}-1-{random.Next()}.tmp"),
        "torn", Cancellation);

    // It may not have been made again since the last time.
    private static void Remove(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }

    private static string CommitLogs(TestStream stream) => Path.Combine(stream.Options.Streaming.CheckpointLocation, "commits");

    public static IReadOnlyList<string> TemporaryFiles(TestStream stream) =>
        Directory.GetFiles(
            stream.Options.Datalake.Path, "*.tmp", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 });
}
