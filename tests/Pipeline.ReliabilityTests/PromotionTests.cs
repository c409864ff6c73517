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
}
