using Npgsql;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A session that may be anybody's is none to capture by; one that a pool gives for as long as it is wanted is.</summary>
public sealed class PoolerTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task a_pooler_by_transaction_is_refused_before_anything_is_set(bool relaysKeys)
    {
        await using var stream = await StreamAsync();
        await using var pooler = new PostgresPooler(SocketOf(stream)) { RelaysKeys = relaysKeys };
        await stream.RestartAsync(o => Through(o, pooler));

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains("pool_mode = session", stop.Remedy, StringComparison.Ordinal);
        var login = LoginThrough(stream, pooler);
        await using var next = new NpgsqlConnection(login.ConnectionString);
        await next.OpenAsync(Cancellation);
        await using var show = new NpgsqlCommand("SELECT current_setting('row_security') || current_setting('jit')", next);
        Assert.Equal("onon", await show.ExecuteScalarAsync(Cancellation));

        // The remedy.
        await stream.RestartAsync(
            o => o with { Postgres = o.Postgres with { Host = stream.Database.Host, Port = stream.Database.Port } });
        Assert.Equal(3, (await stream.PollAsync()).Rows);
    }

    [Fact]
    public async Task verify_refuses_a_pooler_by_transaction_too()
    {
        await using var stream = await StreamAsync();
        await stream.PollAndStoreAsync();
        await using var pooler = new PostgresPooler(SocketOf(stream)) { RelaysKeys = true };
        var options = Through(stream.Options, pooler);
        var comparison = new LakeComparison(
            options, new TopicAdmin(options), new TopicReader(options), place => new LakeFolder(place), TimeProvider.System);

        var stop = await Assert.ThrowsAsync<PipelineException>(() => comparison.CompareAsync(Cancellation));

        Assert.Contains("pooler", stop.Problem, StringComparison.Ordinal);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task a_pooler_by_session_may_be_between(bool relaysKeys)
    {
        await using var stream = await StreamAsync();
        await using var pooler = new PostgresPooler(SocketOf(stream)) { RelaysKeys = relaysKeys, Mode = PoolMode.Session };
        await stream.RestartAsync(o => Through(o, pooler));
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (4)");
        await stream.PollAndStoreAsync();

        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>The pool was told otherwise meanwhile, and somebody else has the session that holds the lock.</summary>
    [Fact]
    public async Task a_session_that_became_another_one_is_noticed_with_the_next_poll()
    {
        await using var stream = await StreamAsync();
        await using var pooler = new PostgresPooler(SocketOf(stream)) { RelaysKeys = true, Mode = PoolMode.Session };
        await stream.RestartAsync(o => Through(o, pooler));
        await stream.PollAsync();
        pooler.Mode = PoolMode.Transaction;
        await stream.PollAsync();
        await using var other = new NpgsqlConnection(LoginThrough(stream, pooler).ConnectionString);
        await other.OpenAsync(Cancellation);
        await other.ExecuteAsync("BEGIN");

        var first = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        var second = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Retry, first.Action);
        Assert.Contains("no longer holds the poller's lock", first.Problem, StringComparison.Ordinal);
        Assert.Equal(FailureAction.Stop, second.Action);
    }

    [Fact]
    public async Task who_stands_by_names_the_session_that_a_pool_kept()
    {
        await using var stream = await StreamAsync();
        await using var pooler = new PostgresPooler(SocketOf(stream)) { Mode = PoolMode.Session };
        var gone = stream.NewInstance(Through(stream.Options, pooler));
        await gone.PollAsync();
        await gone.DisposeAsync();

        Assert.Equal(PollOutcome.StandingBy, (await stream.PollAsync()).Outcome);

        var line = Assert.Single(stream.Log.Lines, l => l.Id == 1004).Message;
        var session = await stream.Database.ScalarAsync<int>(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
            + "WHERE datname = current_database())");
        Assert.Contains($"session {session}, application 'orders-stream', there since 20", line, StringComparison.Ordinal);
        Assert.Contains(", idle since 20", line, StringComparison.Ordinal);

        // The remedy.
        await stream.ExecuteAsync($"SELECT pg_terminate_backend({session})");
        await stream.UntilNobodyPollsAsync();
        Assert.NotEqual(PollOutcome.StandingBy, (await stream.PollAsync()).Outcome);
    }

    private async Task<TestStream> StreamAsync()
    {
        var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 3)");
        return stream;
    }

    private static string SocketOf(TestStream stream)
    {
        Assert.SkipUnless(stream.Database.Host.StartsWith('/'), "needs a Postgres with a socket that asks for no password");
        return Path.Combine(stream.Database.Host, $".s.PGSQL.{stream.Database.Port}");
    }

    private static PipelineOptions Through(PipelineOptions options, PostgresPooler pooler) =>
        options with { Postgres = options.Postgres with { Host = "127.0.0.1", Port = pooler.Port, Sslmode = "disable" } };

    private static NpgsqlConnectionStringBuilder LoginThrough(TestStream stream, PostgresPooler pooler) =>
        new(stream.Database.Login.ConnectionString) { Host = "127.0.0.1", Port = pooler.Port, Pooling = false };
}
