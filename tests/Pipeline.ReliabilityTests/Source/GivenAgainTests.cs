using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;
using OrdersStream.ReliabilityTests.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>Transaction ids do not tell what they seem to: they were given before, or are given again.</summary>
public sealed class GivenAgainTests(KafkaServer kafka)
{
    /// <summary>A row keeps the 32 bits of its id for ever, and the server gives them again after four billion transactions.</summary>
    [Fact]
    public async Task frozen_rows_whose_ids_look_new_are_part_of_the_initial_load()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'frozen', now() - interval '1 year' FROM generate_series(1, 2000) i");
        var old = await stream.Database.ScalarAsync<long>("SELECT min(xmin::text::bigint) FROM items");
        await stream.ExecuteAsync("VACUUM FREEZE");
        foreach (var database in new[] { "template1", "postgres" }) await server.FreezeAsync(database);
        await server.WhileStoppedAsync(folder => ServerFiles.SetNextTransactionAsync(folder, epoch: 1, old - 20));
        stream.Database.ForgetSessions();

        await stream.Instance.PollOnePageAsync();
        await stream.RestartAsync();
        for (var i = 0; i < 60; i++) await stream.ExecuteAsync("SELECT pg_current_xact_id()");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Its volume is put back, and it does more than was lost before anybody looks: log and counter are beyond again.</summary>
    [Theory, InlineData(0), InlineData(400)]
    public async Task a_volume_that_was_put_back_costs_no_row_that_came_since(int moreThanLost)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await InsertAsync(stream, 1, 100, "before");
        await stream.PollAndStoreAsync();
        var copy = await CopyVolumeAsync(server, stream);
        await InsertAsync(stream, 101, 160, "lost");
        await stream.ExecuteAsync("UPDATE items SET name = 'lost', updated_at = clock_timestamp() WHERE id <= 20");
        await stream.PollAndStoreAsync();

        await PutVolumeBackAsync(server, stream, copy, moreThanLost);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'later', updated_at = clock_timestamp() WHERE id % 7 = 0");
        await stream.PollAndStoreAsync();

        // What was captured and undone stays in the lake under keys that the table no longer has.
        await stream.NewestShouldEqualTableAsync("id NOT BETWEEN 101 AND 160");
        Assert.Contains(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    /// <summary>Some of the newest rows are as they were, and those that came back have old ids and old times.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task an_update_that_a_volume_put_back_takes_back_is_undone_in_the_lake_however_old_the_row_is(bool isInWindow)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'old', now() - interval '3 days' FROM generate_series(1, 50) i");
        await InsertAsync(stream, 51, 60, "before");
        await stream.PollAndStoreAsync();
        var copy = await CopyVolumeAsync(server, stream);
        await stream.ExecuteAsync("UPDATE items SET name = 'lost', updated_at = clock_timestamp() WHERE id <= 3");
        await stream.PollAndStoreAsync();
        if (isInWindow)
        {
            await stream.ExecuteAsync("UPDATE items SET name = 'lost, too', updated_at = clock_timestamp() WHERE id BETWEEN 4 AND 50");
            await stream.Instance.PollOnePageAsync();
        }

        await PutVolumeBackAsync(server, stream, copy, 400);
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    /// <summary>Pages are out by then whose rows are undone, and what is left of the window is not what it was.</summary>
    [Theory, InlineData(0), InlineData(400)]
    public async Task a_volume_that_was_put_back_while_a_window_is_read_costs_no_row(int moreThanLost)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await InsertAsync(stream, 1, 100, "before");
        await stream.PollAndStoreAsync();
        var copy = await CopyVolumeAsync(server, stream);
        await stream.ExecuteAsync("UPDATE items SET name = 'lost', updated_at = clock_timestamp()");
        await InsertAsync(stream, 101, 160, "lost");
        await stream.Instance.PollOnePageAsync();
        Assert.NotEmpty(stream.TakeNewRecords());

        await PutVolumeBackAsync(server, stream, copy, moreThanLost);
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync("id NOT BETWEEN 101 AND 160");
    }

    /// <summary>
    /// Who does not wait for the disk says so for a role or a session of its own; nobody else can see it. What a crash could take back is
    /// not captured: an update of it would stay the newest in the lake. And its ids, and those of what was rolled back, are given again.
    /// </summary>
    [Fact]
    public async Task commits_that_a_crash_can_take_back_are_not_captured_and_do_not_hide_the_rows_that_get_their_ids()
    {
        await using var server = await PostgresServer.StartOwnAsync(("wal_writer_delay", "10000"));
        var time = new ShiftedTime();
        await using var stream = await TestStream.CreateAsync(server, kafka, time: time);
        await InsertAsync(stream, 1, 20, "before");
        await stream.PollAndStoreAsync();
        var given = false;
        for (var round = 1; !given; round++)
        {
            Assert.True(round < 20, "no commit was taken back by a crash");
            long newest;
            await using (var careless = await stream.Database.OpenSessionAsync())
            {
                await careless.ExecuteAsync("SET synchronous_commit = off");
                await careless.ExecuteAsync("UPDATE items SET name = 'forgotten', updated_at = clock_timestamp() WHERE id = 1");
                for (var i = 1; i <= 30; i++) await careless.ExecuteAsync($"INSERT INTO items VALUES ({round * 1000 + i}, 'forgotten')");
                newest = await stream.Database.ScalarAsync<long>("SELECT max(xmin::text::bigint) FROM items");
                for (var i = 0; i < 5; i++) await careless.ExecuteAsync("BEGIN; INSERT INTO items VALUES (0); ROLLBACK");
            }
            // The server may write its log in the very moment: then it is captured, and is there after the crash, too.
            var poll = stream.PollAsync();
            await Waiting.UntilAsync(async () => poll.IsCompleted || await stream.Database.ScalarAsync<bool>(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'orders-stream' "
                + "AND query LIKE '%pg_current_wal_flush_lsn%')"), null, () => "the poll does not wait for the disk");
            time.Shift(TimeSpan.FromSeconds(31));
            var failure = await Record.ExceptionAsync(() => poll);
            Assert.True(failure is null or PipelineException { Action: FailureAction.Retry }, $"{failure}");
            await server.CrashAsync();
            stream.Database.ForgetSessions();
            await stream.RestartAsync();
            await InsertAsync(stream, round * 1000 + 101, round * 1000 + 130, "after");
            given = await stream.Database.ScalarAsync<long>(
                $"SELECT min(xmin::text::bigint) FROM items WHERE id > {round * 1000 + 100}") <= newest;
            if (given) Assert.Contains("is not on the server's disk after 30 s", $"{failure?.Message}", StringComparison.Ordinal);
            await stream.PollAndStoreAsync();
        }
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_restart_that_lost_nothing_publishes_nothing_again_though_the_newest_rows_changed_since()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await InsertAsync(stream, 1, 20, "before");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id IN (20, 19)");
        await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await stream.ExecuteAsync("INSERT INTO items VALUES (21)");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
        // The two newest rows were witnesses, and are others now.
        Assert.Single(stream.Log.Lines, line => line.Id == 1013);
    }

    /// <summary>Its processes begin anew once one is killed, which a role that sees no other session does not see.</summary>
    [Theory, InlineData(PostgresServer.PipelineRole, true), InlineData(PostgresServer.BlindRole, false)]
    public async Task a_session_that_cannot_see_since_when_the_server_runs_may_be_the_first_since(string role, bool isOneStart)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var database = await server.CreateDatabaseAsync();
        var starts = new List<DateTime>();
        for (var i = 0; i < 2; i++)
        {
            await using var session = new NpgsqlConnection(
                new NpgsqlConnectionStringBuilder(database.LoginOf(role).ConnectionString) { Pooling = false }.ConnectionString);
            await session.OpenAsync(TestContext.Current.CancellationToken);
            // Looked at twice, it is the same session.
            for (var look = 0; look < 2; look++)
                starts.Add((await SourceServer.ReadAsync(session, TestContext.Current.CancellationToken)).StartedAt);
        }
        Assert.Equal(isOneStart ? 1 : 2, starts.Distinct().Count());
    }

    private static async Task<string> CopyVolumeAsync(PostgresServer server, TestStream stream)
    {
        var copy = "";
        await server.WhileStoppedAsync(async folder => copy = await ServerFiles.CopyAsync(folder));
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        return copy;
    }

    /// <summary>The server does so many transactions, and 100 rows come, before anybody looks at it again.</summary>
    private static async Task PutVolumeBackAsync(PostgresServer server, TestStream stream, string copy, int transactions)
    {
        await stream.Instance.DisposeAsync();
        await server.WhileStoppedAsync(folder => ServerFiles.PutBackAsync(copy, folder));
        stream.Database.ForgetSessions();
        for (var i = 0; i < transactions; i++) await stream.ExecuteAsync("SELECT pg_current_xact_id()");
        await InsertAsync(stream, 201, 300, "after");
        await stream.RestartAsync();
    }

    private static async Task InsertAsync(TestStream stream, int from, int to, string name)
    {
        for (var id = from; id <= to; id++) await stream.ExecuteAsync($"INSERT INTO items VALUES ({id}, '{name}', clock_timestamp())");
    }
}
