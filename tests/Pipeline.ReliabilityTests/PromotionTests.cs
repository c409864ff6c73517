using Npgsql;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>The primary is lost and a real streaming replica is promoted in its place: nothing that is there is missed.</summary>
public sealed class PromotionTests(KafkaServer kafka)
{
    [Fact]
    public async Task after_a_promotion_nothing_is_missed_and_the_log_says_what_may_come_twice()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_wal_senders", "4"));
        await using var standby = await ServerCopy.FollowAsync(server);
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'before' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();

        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'captured' FROM generate_series(51, 70) i");
        await stream.PollAndStoreAsync();
        // Replicated and not captured when the primary is lost; and one that never commits, whose ids the new primary may give anew.
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT i, 'not captured' FROM generate_series(71, 90) i; "
            + "UPDATE items SET name = 'late', updated_at = clock_timestamp() WHERE id <= 10");
        var lost = await stream.Database.OpenSessionAsync();
        await lost.ExecuteAsync("BEGIN; INSERT INTO items (id, name) VALUES (1000, 'lost')");
        await standby.CatchUpAsync(stream.Database);
        await server.EndAsync();
        await Assert.ThrowsAnyAsync<NpgsqlException>(async () => await lost.ExecuteAsync("COMMIT"));
        await standby.TakePlaceAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();

        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'after' FROM generate_series(91, 120) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'later still', updated_at = clock_timestamp() WHERE id % 9 = 0");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal("120", (await stream.Database.TextRowsAsync("SELECT count(*)::text FROM items"))[0][0]);
        Assert.Single(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    /// <summary>
    /// It polled the old primary, to which nothing came any more, for longer than the overlap: the time of its horizon goes on there. What
    /// the rows are dated is what the clock said then.
    /// </summary>
    [Fact]
    public async Task rows_that_came_to_the_new_primary_while_the_old_one_was_still_polled_are_not_missed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_wal_senders", "4"));
        await using var standby = await ServerCopy.FollowAsync(server);
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'both have it', now() - interval '3 hours' FROM generate_series(1, 60) i");
        await stream.PollAndStoreAsync();
        await standby.CatchUpAsync(stream.Database);
        // Another window, in which nothing is: of the first one the whole table would be read again.
        await stream.ExecuteAsync("SELECT pg_current_xact_id()");
        await stream.DrainAsync();
        await server.EndAsync();
        await standby.TakePlaceAsync();
        stream.Database.ForgetSessions();
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT i, 'came meanwhile', now() - interval '2 hours' FROM generate_series(61, 70) i; "
            + "UPDATE items SET name = 'changed meanwhile', updated_at = now() - interval '2 hours' WHERE id <= 10");
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>
    /// The same, and the reading that begins before the parting is broken off: when the new primary is started anew, none of the newest
    /// rows is as it was. The old one had written more by itself, which says nothing of the new one's disk.
    /// </summary>
    [Fact]
    public async Task nor_where_the_new_primary_is_started_anew_while_they_are_read()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_wal_senders", "4"), ("wal_keep_size", "512MB"));
        await using var other = await ServerCopy.BackUpAsync(server);
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'both have it', now() - interval '3 hours' FROM generate_series(1, 60) i");
        await stream.DrainAsync();
        await stream.ExecuteAsync("SELECT pg_create_restore_point('the parting')");
        await stream.ExecuteAsync("CREATE TABLE elsewhere AS SELECT generate_series(1, 20000)");
        await stream.DrainAsync();
        var data = await stream.Database.ScalarAsync<string>("SELECT current_setting('data_directory')");
        await server.EndAsync();
        await other.RestoreAsync(data, "the parting");
        stream.Database.ForgetSessions();
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT i, 'came meanwhile', now() - interval '2 hours' FROM generate_series(61, 70) i; "
            + "UPDATE items SET name = 'changed meanwhile', updated_at = now() - interval '2 hours' WHERE id <= 10; "
            + "INSERT INTO items (id, name) SELECT i, 'newest' FROM generate_series(101, 110) i");
        await stream.RestartAsync();
        await stream.Instance.PollOnePageAsync();
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'newer', updated_at = clock_timestamp() WHERE id > 100");
        await other.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("volume was put back to an older state", StringComparison.Ordinal));
    }
}
