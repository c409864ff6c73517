namespace OrdersStream.ReliabilityTests;

/// <summary>Connections break in every way, on either side: both halves go on by themselves.</summary>
public sealed class ConnectionTests(FaultyServers servers) : IClassFixture<FaultyServers>
{
    private static readonly TimeSpan LongDelay = TimeSpan.FromSeconds(5), LostFor = TimeSpan.FromSeconds(3);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private TcpProxy Proxy(string side) => side == "Postgres" ? servers.PostgresProxy : servers.KafkaProxy;

    [Fact]
    public Task a_broker_that_is_killed_and_started_again() => servers.SurvivesAsync(
        async stream =>
        {
            await servers.Kafka!.Own.KillAsync();
            await SaidAsync(stream);
        },
        () => servers.Kafka!.Own.StartAgainAsync());

    [Fact]
    public Task postgres_restarted_fast() => servers.SurvivesAsync(async stream =>
    {
        await servers.Postgres!.RestartAsync();
        stream.Database.ForgetSessions();
    });

    [Fact]
    public Task postgres_crashed_and_recovered() => servers.SurvivesAsync(async stream =>
    {
        await servers.Postgres!.CrashAsync();
        stream.Database.ForgetSessions();
    });

    [Fact]
    public Task sessions_terminated_by_the_server() => servers.SurvivesAsync(async stream =>
    {
        Assert.True(await stream.Database.ScalarAsync<long>(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'orders-stream'") > 0);
    });

    [Theory, InlineData("Postgres"), InlineData("Kafka")]
    public Task a_network_that_resets_connections(string side) => servers.SurvivesAsync(_ =>
    {
        Proxy(side).Cut();
        return Task.CompletedTask;
    });

    [Theory, InlineData("Postgres"), InlineData("Kafka")]
    public Task a_network_that_is_away_for_a_while(string side) => servers.SurvivesAsync(
        async stream =>
        {
            Proxy(side).Refuses = true;
            Proxy(side).Cut();
            await SaidAsync(stream);
        },
        () =>
        {
            Proxy(side).Refuses = false;
            return Task.CompletedTask;
        });

    [Theory, InlineData("Postgres"), InlineData("Kafka")]
    public Task connections_that_are_half_closed(string side) => servers.SurvivesAsync(_ =>
    {
        Proxy(side).HalfClose();
        return Task.CompletedTask;
    });

    [Theory, InlineData("Postgres"), InlineData("Kafka")]
    public Task a_network_that_holds_everything_back_for_seconds(string side) => servers.SurvivesAsync(
        async _ =>
        {
            Proxy(side).Delay = LongDelay;
            await Task.Delay(LongDelay, Cancellation); // the fault itself: it lasts for so long
        },
        () =>
        {
            Proxy(side).Delay = TimeSpan.Zero;
            return Task.CompletedTask;
        });

    /// <summary>Whatever was asked for meanwhile, a commit included, is done, and nobody hears of it.</summary>
    [Theory, InlineData("Postgres"), InlineData("Kafka")]
    public Task answers_that_are_lost(string side) => servers.SurvivesAsync(
        async stream =>
        {
            Proxy(side).SwallowsAnswers = true;
            await stream.ExecuteAsync("UPDATE items SET name = name || '-', updated_at = clock_timestamp() WHERE id <= 50");
            await Task.Delay(LostFor, Cancellation); // the fault itself: it lasts for so long
            Proxy(side).Cut();
        },
        () =>
        {
            Proxy(side).SwallowsAnswers = false;
            return Task.CompletedTask;
        });

    /// <summary>Until a half has met the fault and said so.</summary>
    private static Task SaidAsync(OrdersStream.IntegrationTests.TestStream stream) => FaultyServers.UntilAsync(
        () => Task.FromResult(stream.Log.Lines.Any(line => line.Id == 9002)), Task.Delay(Timeout.Infinite, Cancellation), () => $"no half has met the fault\n{stream.Log}");
}
