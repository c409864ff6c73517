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
}
