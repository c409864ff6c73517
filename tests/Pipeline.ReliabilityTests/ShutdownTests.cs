using OrdersStream.Diagnostics;
using OrdersStream.IntegrationTests.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>SIGTERM, as an orchestrator sends it, in every phase: the process drains or gives up within ten seconds, with exit code 0.</summary>
public sealed class ShutdownTests(PostgresServer postgres, KafkaServer kafka)
{
    // What a platform allows before it kills.
    private static readonly TimeSpan Allowed = TimeSpan.FromSeconds(10);

    // A run that begins with nothing to roll forward and whose log is young meets all others.
    private static readonly CrashPoint[] NotMet = [CrashPoint.RollForwardBegun, CrashPoint.CommitPruned, CrashPoint.CommitWithdrawn];

    public static TheoryData<CrashPoint> Phases => new(Enum.GetValues<CrashPoint>().Except(NotMet));

    [Theory, MemberData(nameof(Phases))]
    public async Task a_term_signal_in_any_phase_ends_it_cleanly_and_leaves_nothing_to_repair(CrashPoint phase)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        using (var run = LocalHostProcess.Start(stream.Options, [], (phase, 1, OnPoint.AwaitTerm)))
        {
            await run.UntilReachedAsync();
            await run.SignalAsync("TERM");
            var (exitCode, output) = await run.EndAsync(Allowed);
            Assert.True(exitCode == 0, output);
        }
        Assert.Empty(TemporaryFiles(stream.Options.Datalake.Path));

        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    private static string[] TemporaryFiles(string lake) => Directory.Exists(lake)
        ? Directory.GetFiles(lake, "*.tmp", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
        : [];
}
