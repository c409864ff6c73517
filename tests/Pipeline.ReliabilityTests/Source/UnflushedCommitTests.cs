using Npgsql;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// A commit that is not on the disk yet hides the version before it from whoever reads; a crash takes it back, and that version is there
/// again.
/// </summary>
public sealed class UnflushedCommitTests(KafkaServer kafka)
{
    [Theory, InlineData(true), InlineData(false)]
    public async Task a_version_that_was_hidden_as_its_page_was_read_is_not_lost_with_a_crash(bool isInitialLoad)
    {
        // Longer than the poll lasts: the server does not write its log by itself.
        await using var server = await PostgresServer.StartOwnAsync(("wal_writer_delay", "10000"));
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'first', now() - interval '3 hours' FROM generate_series(1, 20) i");
        if (!isInitialLoad)
        {
            await stream.PollAndStoreAsync();
            await stream.ExecuteAsync("UPDATE items SET name = 'second', updated_at = clock_timestamp() WHERE id = 5");
        }
        await using (var careless = await stream.Database.OpenSessionAsync())
        {
            await careless.ExecuteAsync("SET synchronous_commit = off");
            stream.OnReached = point =>
            {
                if (point == CrashPoint.WindowTaken) Hide(careless);
            };
            var poll = stream.PollAsync();
            await Waiting.UntilAsync(async () => poll.IsCompleted || await stream.Database.ScalarAsync<bool>(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'orders-stream' AND state = 'idle in transaction' "
                + "AND query LIKE '%pg_current_wal_flush_lsn%')"), null, () => "the poll does not wait for the disk");
            if (!poll.IsCompleted) await stream.ExecuteAsync("CHECKPOINT");
            await poll;
            stream.OnReached = null;
        }
        await server.CrashAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
        // What was published as if it had been there is not taken back.
        Assert.Equal("hides it", await stream.Database.ScalarAsync<string>("SELECT name FROM items WHERE id = 5"));
    }

    private static void Hide(NpgsqlConnection session)
    {
        using var command = new NpgsqlCommand(
            "UPDATE items SET name = 'hides it', updated_at = clock_timestamp() WHERE id = 5", session);
        command.ExecuteNonQuery();
    }
}
