using Npgsql;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Soak;

/// <summary>
/// Sessions that write until they are told to end: late commits, savepoints kept and rolled back, failed blocks, prepared transactions.
/// What becomes of a transaction whose session breaks is Postgres' business: the table is what the lake is compared with.
/// </summary>
internal sealed class Traffic(TestDatabase database, int seed) : IAsyncDisposable
{
    public const string Ddl =
        """
        CREATE TABLE items (id bigserial PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON items (updated_at, id);
        """;

    private const int Sessions = 4;

    private readonly TestDatabase database = database;
    private readonly int seed = seed;
    private readonly CancellationTokenSource end = new();
    private Task[] sessions = [];
    private long committed;

    /// <summary>Transactions that were acknowledged.</summary>
    public long Committed => Interlocked.Read(ref committed);

    public void Begin() => sessions = [.. Enumerable.Range(0, Sessions).Select(i => Task.Run(() => new Session(this, i).RunAsync()))];

    /// <summary>All transactions come to their end, the prepared ones too.</summary>
    public async Task EndAsync()
    {
        await DisposeAsync();
        await Task.WhenAll(sessions);
        foreach (var row in await database.TextRowsAsync("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"))
            await database.ExecuteAsync($"COMMIT PREPARED '{row[0]}'");
    }

    /// <summary>Nobody writes any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await Task.WhenAll(sessions).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private sealed class Session(Traffic traffic, int number)
    {
        private readonly Random random = new(traffic.seed + number);
        private int transactions;

        private string NextGid => $"soak-{number}-{transactions}";

        public async Task RunAsync()
        {
            while (!traffic.end.IsCancellationRequested)
            {
                try
                {
                    await using var connection = await traffic.database.OpenSessionAsync();
                    await connection.ExecuteAsync("ROLLBACK; SET lock_timeout = '2s'");
                    await EndPreparedAsync(connection);
                    while (!traffic.end.IsCancellationRequested) await TransactionAsync(connection);
                }
                catch (Exception e) when (e is NpgsqlException or IOException)
                {
                    // The server was restarted, the session terminated, a lock not had in time: begin anew.
                    await PauseAsync(100);
                }
            }
        }

        private async Task TransactionAsync(NpgsqlConnection connection)
        {
            transactions++;
            await connection.ExecuteAsync("BEGIN");
            for (var i = random.Next(1, 5); i > 0; i--) await connection.ExecuteAsync(Statement());
            if (random.Next(10) == 0) await PauseAsync(random.Next(20) == 0 ? 15_000 : 4_000);
            switch (random.Next(20))
            {
                case < 3:
                    await connection.ExecuteAsync("ROLLBACK");
                    break;
                case 3:
                    await connection.ExecuteAsync($"PREPARE TRANSACTION '{NextGid}'");
                    await PauseAsync(2_000);
                    await EndPreparedAsync(connection);
                    break;
                default:
                    await connection.ExecuteAsync("COMMIT");
                    Interlocked.Increment(ref traffic.committed);
                    break;
            }
            await PauseAsync(random.Next(120));
        }

        private string Statement() => random.Next(8) switch
        {
            < 3 => Insert(),
            < 6 => Update(),
            6 => $"SAVEPOINT s; {Insert()}; {Update()}; {(random.Next(2) == 0 ? "RELEASE s" : "ROLLBACK TO s")}",
            // A block with a handler is a subtransaction, and this one is rolled back.
            _ => $"DO $$ BEGIN {Insert()}; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN {Update()}; END $$",
        };

        private string Insert() =>
            $"INSERT INTO items (name) SELECT repeat('x', {random.Next(80)}) FROM generate_series(1, {random.Next(1, 12)})";

        private string Update() =>
            $"""
             UPDATE items SET name = 's{number} t{transactions} ' || repeat('y', {random.Next(40)}), updated_at = clock_timestamp()
             WHERE id IN (SELECT id FROM items WHERE id >= (SELECT coalesce(max(id), 0) FROM items) * {random.Next(100)} / 100
                          ORDER BY id LIMIT {random.Next(1, 12)} FOR UPDATE SKIP LOCKED)
             """;

        private async Task EndPreparedAsync(NpgsqlConnection connection)
        {
            var gids = new List<string>();
            await using (var command = new NpgsqlCommand($"SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'soak-{number}-%'", connection))
            await using (var reader = await command.ExecuteReaderAsync())
                while (await reader.ReadAsync()) gids.Add(reader.GetString(0));
            foreach (var gid in gids) await connection.ExecuteAsync($"{(random.Next(3) > 0 ? "COMMIT" : "ROLLBACK")} PREPARED '{gid}'");
        }

        /// <summary>Think time; at the end nobody waits for it.</summary>
        private Task PauseAsync(int ms) =>
            Task.Delay(ms, traffic.end.Token)
                .ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }
}
