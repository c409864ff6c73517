using OrdersStream.Configuration;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests;

/// <summary>Connections break in every way, on either side: both halves go on by themselves.</summary>
public abstract class ConnectionTests(FaultyServers servers)
{
    private static readonly TimeSpan LongDelay = TimeSpan.FromSeconds(5), LostFor = TimeSpan.FromSeconds(3);

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected FaultyServers Servers { get; } = servers;

    /// <summary>On the side that the class is about.</summary>
    private protected abstract TcpProxy Proxy { get; }

    private protected virtual PipelineOptions Configure(PipelineOptions options) => options;

    private protected Task SurvivesAsync(Func<TestStream, Task> strike, Func<Task>? mend = null) =>
        Servers.SurvivesAsync(strike, mend, Configure);

    [Fact]
    public Task a_network_that_resets_connections() => SurvivesAsync(_ =>
    {
        Assert.True(Proxy.Cut() > 0);
        return Task.CompletedTask;
    });

    [Fact]
    public Task a_network_that_is_away_for_a_while() => SurvivesAsync(
        async stream =>
        {
            var before = Proxy.Refused;
            Proxy.Refuses = true;
            Proxy.Cut();
            await SaidAsync(stream);
            // Long enough that it would have been said again and again.
            await Waiting.UntilAsync(
                () => Proxy.Refused >= before + 5, null, () => $"{Proxy.Refused - before} attempts were made", () => Proxy.Refused);
        },
        () =>
        {
            Proxy.Refuses = false;
            return Task.CompletedTask;
        });

    [Fact]
    public Task connections_that_are_half_closed() => SurvivesAsync(_ =>
    {
        Assert.True(Proxy.HalfClose() > 0);
        return Task.CompletedTask;
    });

    [Fact]
    public Task a_network_that_holds_everything_back_for_seconds() => SurvivesAsync(
        async _ =>
        {
            var before = Proxy.Delayed;
            Proxy.Delay = LongDelay;
            await Task.Delay(LongDelay, Cancellation); // the fault itself: it lasts for so long
            Assert.True(Proxy.Delayed > before);
        },
        () =>
        {
            Proxy.Delay = TimeSpan.Zero;
            return Task.CompletedTask;
        });

    /// <summary>Whatever was asked for meanwhile, a commit included, is done, and nobody hears of it.</summary>
    [Fact]
    public Task answers_that_are_lost() => SurvivesAsync(
        async stream =>
        {
            Proxy.SwallowsAnswers = true;
            await stream.ExecuteAsync("UPDATE items SET name = name || '-', updated_at = clock_timestamp() WHERE id <= 50");
            await Task.Delay(LostFor, Cancellation); // the fault itself: it lasts for so long
            Proxy.Cut();
        },
        () =>
        {
            Proxy.SwallowsAnswers = false;
            return Task.CompletedTask;
        });

    /// <summary>Until a half has met the fault and said so.</summary>
    private protected static Task SaidAsync(TestStream stream) => stream.UntilAsync(
        () => stream.Log.Lines.Any(line => line.Id == 9002), null, () => "no half has met the fault");
}

/// <summary>Between the pipeline and Postgres.</summary>
public sealed class PostgresConnectionTests(FaultyServers servers) : ConnectionTests(servers), IClassFixture<FaultyServers>
{
    private protected override TcpProxy Proxy => Servers.PostgresProxy;

    [Fact]
    public Task postgres_restarted_fast() => SurvivesAsync(async stream =>
    {
        await Servers.Postgres!.RestartAsync();
        stream.Database.ForgetSessions();
    });

    [Fact]
    public Task postgres_crashed_and_recovered() => SurvivesAsync(async stream =>
    {
        await Servers.Postgres!.CrashAsync();
        stream.Database.ForgetSessions();
    });

    [Fact]
    public Task a_session_terminated_in_the_middle_of_a_copy() => SurvivesAsync(
        async stream =>
        {
            // More than fits into any buffer on the way, and a network that takes a while with it: the copy is still under way when it is
            // met.
            Proxy.Delay = TimeSpan.FromMilliseconds(100);
            await stream.ExecuteAsync(
                "UPDATE items SET name = repeat(md5(id::text), 1000), updated_at = clock_timestamp() WHERE id <= 200");
            await Waiting.UntilAsync(
                async () => await stream.Database.ScalarAsync<long>(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'orders-stream' "
                    + "AND state = 'active' AND query LIKE 'COPY%'") > 0,
                null, () => "no copy was met");
        },
        () =>
        {
            Proxy.Delay = TimeSpan.Zero;
            return Task.CompletedTask;
        });

    [Fact]
    public Task sessions_terminated_by_the_server() => SurvivesAsync(async stream =>
    {
        Assert.True(await stream.Database.ScalarAsync<long>(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'orders-stream'") > 0);
    });
}

/// <summary>Between the pipeline and Kafka.</summary>
public class KafkaConnectionTests(FaultyServers servers) : ConnectionTests(servers), IClassFixture<FaultyServers>
{
    private protected override TcpProxy Proxy => Servers.KafkaProxy;

    [Fact]
    public Task a_broker_that_is_killed_and_started_again() => SurvivesAsync(
        async stream =>
        {
            await Servers.Kafka!.Own.KillAsync();
            await SaidAsync(stream);
        },
        () => Servers.Kafka!.Own.StartAgainAsync());
}

/// <summary>The same without transactions: no broker refuses what was sent before and arrives now.</summary>
public sealed class KafkaConnectionByFramesTests(FaultyServers servers) : KafkaConnectionTests(servers)
{
    private protected override PipelineOptions Configure(PipelineOptions options) => CrashStream.ByFrames(options);
}
