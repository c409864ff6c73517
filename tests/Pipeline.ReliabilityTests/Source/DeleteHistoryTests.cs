using Npgsql;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// What clients do to keys in whatever order: deleted, there again, changed there and back, by savepoints that are rolled back, late, by
/// TRUNCATE and a reload; while a poller reads page by page, and dies. Whenever all is quiet, the newest versions in the lake are the
/// table. DELETES_SEED repeats one history.
/// </summary>
public sealed class DeleteHistoryTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int Rounds = 5, StepsOfRound = 40, Keys = 25;

    public static TheoryData<int> Seeds() => Environment.GetEnvironmentVariable("DELETES_SEED") is { Length: > 0 } seed
        ? [int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture)] : [1, 2, 3];

    [Theory, MemberData(nameof(Seeds))]
    public async Task whatever_becomes_of_keys_the_newest_versions_are_the_table(int seed)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes, configure: o => o with
        {
            Postgres = o.Postgres with { PageBytes = 1024, SeenTransactions = seed % 2 == 0 ? 1 : 100_000 },
            Kafka = o.Kafka with { Delivery = seed % 3 == 0 ? "frames" : "transactions" },
        });
        var dice = new Random(seed);
        var clients = new List<Client>();
        for (var i = 0; i < 4; i++) clients.Add(new(await stream.Database.OpenSessionAsync(), dice));
        var deletes = 0;
        for (var round = 0; round < Rounds; round++)
        {
            for (var step = 0; step < StepsOfRound; step++)
            {
                if (dice.Next(3) > 0) await clients[dice.Next(clients.Count)].StepAsync();
                else await PollAsync(stream, dice);
            }
            foreach (var client in clients) await client.EndAsync();
            await stream.DrainAsync();
            await stream.StoreAsync();
            await stream.NewestShouldEqualTableAsync();
            Assert.Empty(stream.Lake.QuarantineLines);
            deletes = stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE _op = 'delete'").Count;
        }
        foreach (var client in clients) await client.DisposeAsync();
        Assert.True(deletes > 5, $"{deletes} deletes");
    }

    private static async Task PollAsync(TestStream stream, Random dice)
    {
        switch (dice.Next(6))
        {
            case 0:
                CrashPoint[] points = [CrashPoint.PageProduced, CrashPoint.PageCommitted, CrashPoint.WatermarkWritten];
                var (at, left) = (points[dice.Next(points.Length)], dice.Next(1, 4));
                stream.OnReached = point =>
                {
                    if (point == at && --left == 0) throw new CrashException(point);
                };
                try
                {
                    await stream.PollAsync();
                }
                catch (CrashException)
                {
                    // The next poll is another process's.
                }
                stream.OnReached = null;
                await stream.RestartAsync();
                break;
            case 1 or 2: await stream.PollAsync(); break;
            case 3: await stream.StoreAsync(); break;
            default: await stream.Instance.PollOnePageAsync(); break;
        }
    }

    /// <summary>One that waits for nobody: what is locked is given up.</summary>
    private sealed class Client(NpgsqlConnection session, Random dice) : IAsyncDisposable
    {
        private bool isOpen;
        private int savepoints;

        public async Task StepAsync()
        {
            if (!isOpen && dice.Next(12) == 0)
            {
                await TryAsync("SET lock_timeout = '5ms'; BEGIN; TRUNCATE items; "
                    + (dice.Next(2) == 0 ? $"INSERT INTO items SELECT k, 'reloaded', now() - interval '1 year' "
                        + $"FROM generate_series(1, {Keys}, {dice.Next(1, 5)}) k; " : "") + "COMMIT");
                return;
            }
            if (!isOpen)
            {
                isOpen = true;
                await TryAsync("SET lock_timeout = '5ms'; BEGIN");
                return;
            }
            await TryAsync(dice.Next(10) switch
            {
                0 => Savepoint(),
                1 when savepoints > 0 => RollBack(),
                2 or 3 => End(dice.Next(5) == 0 ? "ROLLBACK" : "COMMIT"),
                _ => Change(),
            });
        }

        public Task EndAsync() => TryAsync(isOpen ? End("COMMIT") : "SELECT 1");

        public ValueTask DisposeAsync() => session.DisposeAsync();

        private string Savepoint() => $"SAVEPOINT s{++savepoints}";

        private string RollBack() => $"ROLLBACK TO s{savepoints}; RELEASE s{savepoints--}";

        private string End(string how)
        {
            (isOpen, savepoints) = (false, 0);
            return how;
        }

        private string Change()
        {
            var (key, other) = (dice.Next(1, Keys + 1), dice.Next(1, Keys + 1));
            return dice.Next(6) switch
            {
                0 => $"DELETE FROM items WHERE id = {key}",
                1 => $"DELETE FROM items WHERE id BETWEEN {key} AND {key + 8}",
                2 => $"UPDATE items SET id = {other}, updated_at = clock_timestamp() WHERE id = {key}",
                3 => $"DELETE FROM items WHERE id = {key}; INSERT INTO items VALUES ({key}, 'at once', clock_timestamp())",
                4 => $"UPDATE items SET name = name || '.', updated_at = clock_timestamp() WHERE id BETWEEN {key} AND {key + 3}",
                _ => $"INSERT INTO items SELECT k, repeat('x', 150), clock_timestamp() FROM generate_series({key}, {key + 5}) k "
                    + "ON CONFLICT DO NOTHING",
            };
        }

        private async Task TryAsync(string sql)
        {
            try
            {
                await session.ExecuteAsync(sql);
            }
            catch (PostgresException e) when (e.SqlState is "55P03" or "23505" or "40P01")
            {
                (isOpen, savepoints) = (false, 0);
                await session.ExecuteAsync("ROLLBACK");
            }
        }
    }
}
