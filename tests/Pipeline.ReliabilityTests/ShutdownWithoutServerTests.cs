using System.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// SIGTERM while a server is away or does not answer: no answer is waited for longer than a platform waits, and what became of it is found
/// out by the next start.
/// </summary>
public abstract class ShutdownWithoutServerTests(FaultyServers servers)
{
    private static readonly TimeSpan Forever = TimeSpan.FromDays(1);

    /// <summary>What is wrong with the server.</summary>
    public enum Fault
    {
        BrokerKilled,
        BrokerHangs,
        BrokerAnswersLost,
        PostgresHangs,
    }

    private protected async Task EndsInTimeAsync(Fault fault, CrashPoint phase)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        await using var stream = await servers.CreateStreamAsync(
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 }, Datalake = o.Datalake with { FileBytes = 1024 } });
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 200) i");
        Action<ProcessStartInfo>? configure = IsWaitedFor(fault) ? LocalHostProcess.WithoutLastResort : null;
        using (var run = LocalHostProcess.Start(stream.Options, ["run"], (phase, 2, OnPoint.AwaitTerm), configure))
        {
            await run.UntilReachedAsync();
            try
            {
                await BreakAsync(fault);
                var signalled = Stopwatch.GetTimestamp();
                await run.SignalAsync("TERM");
                var (exitCode, output) = await run.EndAsync();
                var took = Stopwatch.GetElapsedTime(signalled);
                // What was left hanging is no clean end.
                Assert.True(exitCode == (output.Contains("something hangs", StringComparison.Ordinal) ? 3 : 0), output);
                Assert.True(took < Waiting.LessThanATimeout, $"it took {took}\n{output}");
                // Where an answer is owed for good, the client's own end and the last resort come at about the same time.
                Assert.Matches(IsWaitedFor(fault) ? "stopping: asked to" : "stopping: (asked to|something hangs)", output);
            }
            finally
            {
                await MendAsync(fault);
            }
        }

        Assert.True(await CrashStream.OnceAsync(stream));
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(200, stream.Lake.Count());
    }

    /// <summary>
    /// Each wait for such a server has an end of its own. A client that is owed an answer for good cannot be closed: there the last resort
    /// ends the process.
    /// </summary>
    private static bool IsWaitedFor(Fault fault) => fault is Fault.BrokerKilled or Fault.BrokerHangs;

    private async Task BreakAsync(Fault fault)
    {
        switch (fault)
        {
            case Fault.BrokerKilled:
                await servers.Kafka!.Own.KillAsync();
                break;
            case Fault.BrokerHangs:
                servers.KafkaProxy.Delay = Forever;
                break;
            case Fault.BrokerAnswersLost:
                servers.KafkaProxy.SwallowsAnswers = true;
                break;
            default:
                servers.PostgresProxy.Delay = Forever;
                break;
        }
    }

    private async Task MendAsync(Fault fault)
    {
        if (fault == Fault.BrokerKilled) await servers.Kafka!.Own.StartAgainAsync();
        servers.KafkaProxy.Delay = servers.PostgresProxy.Delay = TimeSpan.Zero;
        servers.KafkaProxy.SwallowsAnswers = false;
        servers.KafkaProxy.Cut();
        servers.PostgresProxy.Cut();
    }
}

/// <summary>In the capturing half, between a page and its commit.</summary>
public sealed class CaptureShutdownWithoutServerTests(
    FaultyServers servers) : ShutdownWithoutServerTests(servers), IClassFixture<FaultyServers>
{
    [
        Theory, InlineData(Fault.BrokerKilled), InlineData(Fault.BrokerHangs), InlineData(Fault.BrokerAnswersLost),
        InlineData(Fault.PostgresHangs)]
    public Task a_term_signal_before_a_pages_commit_waits_for_no_server(Fault fault) => EndsInTimeAsync(fault, CrashPoint.PageProduced);
}

/// <summary>In the storing half, between a commit of the lake and the end of the group's membership.</summary>
public sealed class StorageShutdownWithoutServerTests(
    FaultyServers servers) : ShutdownWithoutServerTests(servers), IClassFixture<FaultyServers>
{
    [Theory, InlineData(Fault.BrokerKilled), InlineData(Fault.BrokerHangs)]
    public Task a_term_signal_in_a_commit_of_the_lake_waits_for_no_broker(Fault fault) => EndsInTimeAsync(fault, CrashPoint.CommitCreated);
}
