using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Invariant 1: no row version is missed, in whatever way its transaction came to commit.</summary>
public sealed class TransactionTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task a_late_commit_is_not_missed_where_a_plain_poll_misses_it()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; INSERT INTO items (id, name) VALUES (1000, 'late')");
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 10)");
        await stream.PollAndStoreAsync();
        await plain.PollAsync();

        await late.ExecuteAsync("COMMIT");
        await stream.PollAndStoreAsync();
        await plain.PollAsync();

        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain("1000", plain.Found);
        Assert.Equal(10, plain.Found.Count);
    }

    [Fact]
    public async Task a_late_update_is_not_missed_where_a_plain_poll_misses_it()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 10)");
        await stream.PollAndStoreAsync();
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; UPDATE items SET name = 'late', updated_at = now() WHERE id = 5");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (11)");
        await stream.PollAndStoreAsync();
        var plain = new PlainPoll(stream.Database);
        await plain.PollAsync();

        await late.ExecuteAsync("COMMIT");
        await stream.PollAndStoreAsync();
        plain.Found.Clear();
        await plain.PollAsync();

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(12, stream.Dump().Records.Count);
        Assert.Empty(plain.Found);
    }

    public static TheoryData<string, string, int> Subtransactions => new()
    {
        { "released", "INSERT INTO items (id) VALUES (1000); SAVEPOINT s; INSERT INTO items (id) VALUES (1001); RELEASE s", 2 },
        { "kept open", "SAVEPOINT s; INSERT INTO items (id) VALUES (1000)", 1 },
        {
            "nested",
            "SAVEPOINT a; INSERT INTO items (id) VALUES (1000); SAVEPOINT b; INSERT INTO items (id) VALUES (1001); SAVEPOINT c; "
            + "INSERT INTO items (id) VALUES (1002); RELEASE a",
            3
        },
        {
            "rolled back",
            "INSERT INTO items (id) VALUES (1000); SAVEPOINT s; INSERT INTO items (id) VALUES (1001); ROLLBACK TO s; "
            + "INSERT INTO items (id) VALUES (1002)",
            2
        },
        {
            "nested and partly rolled back",
            "SAVEPOINT a; INSERT INTO items (id) VALUES (1000); SAVEPOINT b; INSERT INTO items (id) VALUES (1001); ROLLBACK TO b; "
            + "SAVEPOINT c; INSERT INTO items (id) VALUES (1002); RELEASE c",
            2
        },
        {
            "block that caught an error",
            "DO $$ BEGIN INSERT INTO items (id) VALUES (1000); BEGIN INSERT INTO items (id) VALUES (1001); "
            + "INSERT INTO items (id) VALUES (1000); EXCEPTION WHEN unique_violation THEN INSERT INTO items (id) VALUES (1002); END; "
            + "END $$",
            2
        },
        {
            "block without an error",
            "DO $$ BEGIN BEGIN INSERT INTO items (id) VALUES (1000); EXCEPTION WHEN unique_violation THEN NULL; END; "
            + "INSERT INTO items (id) VALUES (1001); END $$",
            2
        },
        {
            "row of the parent touched again in a savepoint",
            "INSERT INTO items (id) VALUES (1000); SAVEPOINT s; UPDATE items SET name = 'again', updated_at = now() WHERE id IN (1000, 3)",
            2
        },
        {
            "more savepoints than a session shows others",
            "DO $$ BEGIN FOR i IN 1000..1099 LOOP BEGIN INSERT INTO items (id) VALUES (i); EXCEPTION WHEN unique_violation THEN NULL; END; "
            + "END LOOP; END $$",
            100
        },
    };

    [Theory, MemberData(nameof(Subtransactions))]
    public async Task a_late_commit_inside_a_savepoint_is_not_missed(string what, string statements, int rows)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 10)");
        await stream.PollAndStoreAsync();
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; " + statements);
        // Transactions that begin and end meanwhile push the snapshot beyond the open one and its subtransactions.
        for (var id = 11; id <= 13; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        var meanwhile = await stream.PollAsync();

        await late.ExecuteAsync("COMMIT");
        var after = await stream.PollAsync();
        await stream.StoreAsync();

        Assert.Equal((3, rows), ((int)meanwhile.Rows, (int)after.Rows));
        await stream.LakeShouldEqualTableAsync();
        Assert.NotEmpty(what);
    }

    [Fact]
    public async Task a_rolled_back_transaction_leaves_nothing()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'kept')");
        await stream.PollAsync();
        await using var session = await stream.Database.OpenSessionAsync();
        await session.ExecuteAsync(
            "BEGIN; INSERT INTO items (id) VALUES (2); UPDATE items SET name = 'undone', updated_at = now() WHERE id = 1");
        await stream.PollAsync();
        await session.ExecuteAsync("ROLLBACK");
        await stream.PollAndStoreAsync();

        Assert.Single(stream.Dump().Records);
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_long_read_only_transaction_holds_nothing_back()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await using var reader = await stream.Database.OpenSessionAsync();
        await reader.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM items");
        for (var id = 1; id <= 5; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
        }
        await reader.ExecuteAsync("COMMIT");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (6)");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_long_writing_transaction_holds_back_its_own_rows_only()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await using var writer = await stream.Database.OpenSessionAsync();
        await writer.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        for (var id = 1; id <= 5; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
            // Nothing that is visible already is published again while the window's bounds stand still.
            Assert.Equal(0, (await stream.PollAsync()).Rows);
        }
        await writer.ExecuteAsync("COMMIT");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_touched_by_two_overlapping_transactions_ends_as_the_last_one_left_it()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, 'first')");
        await using var early = await stream.Database.OpenSessionAsync();
        await early.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()");
        await stream.ExecuteAsync("UPDATE items SET name = 'by the later transaction', updated_at = clock_timestamp() WHERE id = 1");
        await stream.PollAndStoreAsync();
        // The older transaction writes the newer version, with a timestamp of its own start, before the one it follows.
        await early.ExecuteAsync("UPDATE items SET name = 'by the earlier transaction', updated_at = now() WHERE id = 1; COMMIT");
        await stream.PollAndStoreAsync();

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(2, stream.Dump().Records.Count);
    }

    [Fact]
    public async Task more_seen_transactions_than_the_cap_are_held_back_and_arrive()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { SeenTransactions = 3 } });
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        for (var id = 1; id <= 10; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        await stream.PollAsync();
        for (var id = 11; id <= 20; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        await stream.PollAsync();
        await open.ExecuteAsync("COMMIT");
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1001)");
        await UntilStoredAsync(stream, 22);

        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task those_seen_before_the_cap_was_reached_are_not_published_again()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { SeenTransactions = 3 } });
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        for (var id = 1; id <= 2; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        Assert.Equal(2, (await stream.PollAsync()).Rows);
        for (var id = 3; id <= 10; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        await stream.PollAsync();
        await open.ExecuteAsync("COMMIT");
        await UntilStoredAsync(stream, 11);

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(11, stream.Dump().Records.Count);
    }

    /// <summary>Where the cap is reached, transactions of other tests, on the same server, hold rows back as well.</summary>
    private static Task UntilStoredAsync(TestStream stream, long rows) => Waiting.UntilAsync(
        async () =>
        {
            await stream.PollAndStoreAsync();
            return stream.Lake.Count() >= rows;
        },
        running: null, () => $"the lake has {stream.Lake.Count()} of {rows} rows");
}
