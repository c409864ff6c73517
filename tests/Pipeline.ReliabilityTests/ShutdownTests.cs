using OrdersStream.Durable;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// SIGTERM, as an orchestrator sends it, in every phase: the process drains or gives up by itself, before any time-out of a client, with
/// exit code 0. What does not has a last resort.
/// </summary>
public abstract class ShutdownTests(PostgresServer postgres, KafkaServer kafka)
{
    private protected async Task EndsCleanlyAsync(CrashPoint phase)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        if (phase == CrashPoint.RollForwardBegun)
            Assert.False(await CrashStream.OnceAsync(stream, point =>
            {
                if (point == CrashPoint.CommitCreated) throw new CrashException(point);
            }));
        var leftByAnother = TemporaryFiles(stream.Options.Datalake.Path);
        using (var run = LocalHostProcess.Start(stream.Options, ["run"], (phase, 1, OnPoint.AwaitTerm), LocalHostProcess.WithoutLastResort))
        {
            await run.UntilReachedAsync();
            await run.SignalAsync("TERM");
            var (exitCode, output) = await run.EndAsync(Waiting.LessThanATimeout);
            Assert.True(exitCode == 0, output);
            Assert.Contains("stopping: asked to", output, StringComparison.Ordinal);
        }
        Assert.Empty(TemporaryFiles(stream.Options.Datalake.Path).Except(leftByAnother));

        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    /// <summary>Between two polls, with nothing to do; or standing by for another poller.</summary>
    private protected async Task EndsCleanlyAsync(bool whileStandingBy)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        if (whileStandingBy) await stream.PollAndStoreAsync();
        else Assert.True(await CrashStream.OnceAsync(stream));
        using (var run = LocalHostProcess.Start(stream.Options, ["run"], configure: LocalHostProcess.WithoutLastResort))
        {
            await run.UntilSaidAsync(whileStandingBy ? "standing by" : "nothing new since");
            await run.SignalAsync("TERM");
            var (exitCode, output) = await run.EndAsync(Waiting.LessThanATimeout);
            Assert.True(exitCode == 0, output);
            Assert.Contains("stopping: asked to", output, StringComparison.Ordinal);
        }
        await stream.LakeShouldEqualTableAsync();
    }

    private static string[] TemporaryFiles(string lake) => Directory.Exists(lake)
        ? Directory.GetFiles(lake, "*.tmp", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
        : [];
}

/// <summary>Whatever hangs.</summary>
public sealed class LastResortTests
{
    /// <summary>What a platform allows between SIGTERM and SIGKILL.</summary>
    private static readonly TimeSpan Allowed = TimeSpan.FromSeconds(10);

    [Fact]
    public void a_process_ends_itself_before_a_platform_kills_it() => Assert.InRange(RunVerb.StopTimeout, TimeSpan.Zero, Allowed * 0.8);
}

/// <summary>In the capturing half.</summary>
public sealed class ShutdownInCaptureTests(PostgresServer postgres, KafkaServer kafka) : ShutdownTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Capture), MemberType = typeof(Steps))]
    public Task a_term_signal_in_any_phase_ends_it_cleanly_and_leaves_nothing_to_repair(CrashPoint phase) => EndsCleanlyAsync(phase);

    [Theory, InlineData(false), InlineData(true)]
    public Task a_term_signal_ends_it_while_it_has_nothing_to_do(bool standsBy) => EndsCleanlyAsync(standsBy);
}

/// <summary>In the storing half.</summary>
public sealed class ShutdownInStorageTests(PostgresServer postgres, KafkaServer kafka) : ShutdownTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.FirstStorage), MemberType = typeof(Steps)), InlineData(CrashPoint.RollForwardBegun)]
    public Task a_term_signal_in_any_phase_ends_it_cleanly_and_leaves_nothing_to_repair(CrashPoint phase) => EndsCleanlyAsync(phase);
}
