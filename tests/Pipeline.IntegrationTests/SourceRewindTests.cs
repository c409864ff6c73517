using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// A source that went back in time: committed rows may have vanished and their transaction ids been given to others. Rows
/// may then be published twice, and none is missed.
/// </summary>
public sealed class SourceRewindTests(KafkaServer kafka)
{
    [Fact]
    public async Task a_restart_without_synchronous_commits_reads_the_overlap_again_and_says_so()
    {
        await using var server = await PostgresServer.StartOwnAsync(("synchronous_commit", "off"));
        await using var stream = await CapturedAsync(server);

        await RestartAsync(server, stream);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.PollAndStoreAsync();

        // Ten rows once more, and the new one; the old ones lie in the overlap of one hour but for one.
        Assert.Equal(10 + 9 + 1, stream.Dump().Records.Count);
        await new Oracle(stream.Database, stream.QualifiedTable, ["id"], stream.Lake).LakeShouldEqualTableAsync();
        Assert.Contains(
            stream.Log.Warnings,
            w => w.Contains("published twice", StringComparison.Ordinal) && w.Contains("restarted", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_restart_with_synchronous_commits_publishes_nothing_twice()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CapturedAsync(server);

        await RestartAsync(server, stream);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.PollAndStoreAsync();

        Assert.Equal(11, stream.Dump().Records.Count);
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>
    /// What is rolled back is not written to disk at once: after a crash the server gives the ids of such transactions again.
    /// </summary>
    [Fact]
    public async Task rows_with_ids_that_rolled_back_transactions_had_before_a_crash_are_not_missed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("wal_writer_delay", "10000"));
        await using var stream = await CapturedAsync(server);
        var given = false;
        // Something else may have written it to disk in the very moment.
        for (var id = 11; !given; id++)
        {
            Assert.True(id < 20, "no id was given again after a crash");
            long rolledBack;
            await using (var session = await stream.Database.OpenSessionAsync())
            {
                for (var i = 0; i < 5; i++) await session.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000); ROLLBACK");
                await session.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
                await using (var command = new Npgsql.NpgsqlCommand("SELECT pg_current_xact_id()::text::bigint", session))
                    rolledBack = (long)(await command.ExecuteScalarAsync())!;
                await session.ExecuteAsync("ROLLBACK");
            }
            await stream.PollAndStoreAsync();

            await server.CrashAsync();
            stream.Database.ForgetSessions();
            await stream.RestartAsync();
            await stream.PollAndStoreAsync();
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            given = await stream.Database.ScalarAsync<long>($"SELECT xmin::text::bigint FROM items WHERE id = {id}") <= rolledBack;
            await stream.PollAndStoreAsync();
        }
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_new_timeline_reads_the_overlap_again_and_says_so()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CapturedAsync(server);

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
        await new Oracle(stream.Database, stream.QualifiedTable, ["id"], stream.Lake).LakeShouldEqualTableAsync();
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
