using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Whoever changes the table keeps capture waiting, and is named while he does.</summary>
public sealed class LockWaitTests(PostgresServer postgres, KafkaServer kafka)
{
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_poll_that_waits_for_the_tables_lock_says_for_whom(bool isInMidWindow)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.ItemsAndDeletes, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, repeat('x', 100), now() FROM generate_series(1, 100) i");
        if (isInMidWindow) await stream.Instance.PollOnePageAsync();
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync("SET application_name = 'migration'; BEGIN; ALTER TABLE items ADD COLUMN other int");
            var poll = stream.PollAsync();
            await Waiting.UntilAsync(() => stream.Log.Lines.Any(l => l.Id == 1014), poll, () => $"nothing is said\n{stream.Log}");
            Assert.Contains(
                $"the open transaction of session {migration.ProcessID} (migration)", stream.Log.Lines.Single(l => l.Id == 1014).Message,
                StringComparison.Ordinal);
            await migration.ExecuteAsync("COMMIT");
            await poll;
        }
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_poll_that_waits_for_nobody_says_nothing_of_it()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAndStoreAsync();
        Assert.DoesNotContain(stream.Log.Lines, l => l.Id == 1014);
    }
}
