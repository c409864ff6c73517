using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// A source that went back in time: committed rows may have vanished and their transaction ids been given to others. Rows
/// may then be published twice, and none is missed.
/// </summary>
public sealed class SourceRewindTests(KafkaServer kafka)
{
    /// <summary>It has the newest rows that were captured, so nothing was lost.</summary>
    [Theory, InlineData("on"), InlineData("off")]
    public async Task a_restart_that_lost_nothing_publishes_nothing_twice(string synchronousCommit)
    {
        await using var server = await PostgresServer.StartOwnAsync(("synchronous_commit", synchronousCommit));
        await using var stream = await CapturedAsync(server);

        await RestartAsync(server, stream);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.PollAndStoreAsync();

        Assert.Equal(11, stream.Dump().Records.Count);
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_new_timeline_reads_the_overlap_again_and_says_so()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CapturedAsync(server);
        // The last window is read again from its own bound, which the initial load has not.
        await stream.ExecuteAsync("SELECT pg_current_xact_id()");
        await stream.DrainAsync();

        // A recovery that finds nothing to recover ends on a new timeline, as a promotion and a restored backup do.
        await stream.ExecuteAsync("ALTER SYSTEM SET restore_command = 'false'");
        var data = await stream.Database.ScalarAsync<string>("SELECT current_setting('data_directory')");
        await stream.ExecuteAsync($"COPY (SELECT '') TO '{data}/recovery.signal'");
        await RestartAsync(server, stream);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (12)");
        await stream.PollAndStoreAsync();

        // Once, not with every window from then on.
        Assert.Equal(10 + 9 + 1 + 1, stream.Dump().Records.Count);
        await stream.NewestShouldEqualTableAsync();
        Assert.Single(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_cut_connection_costs_nothing_but_the_poll()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CapturedAsync(server);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'");

        await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);
        // Its client hears that a session ends before the server lets go of the lock.
        await stream.UntilNobodyPollsAsync();
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.LakeShouldEqualTableAsync();
    }

    private static async Task RestartAsync(PostgresServer server, TestStream stream)
    {
        await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.Database.UntilAsync("recovery is over", "SELECT NOT pg_is_in_recovery()");
        await stream.RestartAsync();
    }

    private async Task<TestStream> CapturedAsync(PostgresServer server)
    {
        var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync(
            "INSERT INTO items (id, updated_at) SELECT i, now() - CASE i WHEN 1 THEN interval '1 day' ELSE '0' END "
            + "FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();
        return stream;
    }
}
