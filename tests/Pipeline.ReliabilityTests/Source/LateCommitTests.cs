using Npgsql;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// Invariant 1 where transactions end after polls that they began before. Beside each history runs a poll for what is later than the last
/// row: it must miss what comes late.
/// </summary>
public sealed class LateCommitTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task a_transaction_that_is_open_across_many_polls_and_restarts_arrives_whole()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN");
        for (var poll = 1; poll <= 12; poll++)
        {
            // A savepoint between any two polls: some are kept, some released, every third is rolled back.
            await late.ExecuteAsync($"SAVEPOINT s{poll}; INSERT INTO items (id) VALUES ({1000 + poll})");
            if (poll % 3 == 0) await late.ExecuteAsync($"ROLLBACK TO s{poll}");
            if (poll % 4 == 0) await late.ExecuteAsync($"RELEASE s{poll}");
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({poll})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
            await plain.PollAsync();
            if (poll == 6) await stream.RestartAsync();
        }
        await late.ExecuteAsync("COMMIT");

        await ShouldArriveLateAsync(stream, plain, 8);
    }

    [Fact]
    public async Task thousands_of_subtransactions_in_many_sessions_arrive_whole()
    {
        const int Sessions = 8, Subtransactions = 500;
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        var sessions = new List<NpgsqlConnection>();
        try
        {
            for (var s = 0; s < Sessions; s++)
            {
                sessions.Add(await stream.Database.OpenSessionAsync());
                // Far more than a session shows to others: who may see a row is looked up in pg_subtrans.
                await sessions[s].ExecuteAsync(
                    $"BEGIN; DO $$ BEGIN FOR i IN 1..{Subtransactions} LOOP BEGIN INSERT INTO items (id) VALUES ({1000 * (s + 1)} + i); "
                    + "EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$");
                await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({s + 1})");
                Assert.Equal(1, (await stream.PollAsync()).Rows);
            }
            await plain.PollAsync();
            for (var s = 0; s < Sessions; s++) await sessions[s].ExecuteAsync(s % 2 == 0 ? "COMMIT" : "ROLLBACK");
        }
        finally
        {
            foreach (var session in sessions) await session.DisposeAsync();
        }

        await ShouldArriveLateAsync(stream, plain, Sessions / 2 * Subtransactions);
    }

    public static TheoryData<string, string> Lockers => new()
    {
        { "FOR UPDATE", "" }, { "FOR NO KEY UPDATE", "" }, { "FOR SHARE", "" }, { "FOR KEY SHARE", "" },
        // Two at once: the row's xmax is then no transaction, but a list of them.
        { "FOR SHARE", "FOR SHARE" }, { "FOR KEY SHARE", "FOR NO KEY UPDATE" },
    };

    [Theory, MemberData(nameof(Lockers))]
    public async Task rows_that_others_hold_locked_across_polls_are_published_at_once_and_once(string one, string other)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 3)");
        await using var first = await stream.Database.OpenSessionAsync();
        await using var second = await stream.Database.OpenSessionAsync();
        await first.ExecuteAsync($"BEGIN; SELECT FROM items WHERE id <= 2 {one}");
        if (other.Length > 0) await second.ExecuteAsync($"BEGIN; SELECT FROM items WHERE id <= 2 {other}");
        Assert.Equal(3, (await stream.PollAsync()).Rows);
        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp() WHERE id = 3");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await plain.PollAsync();

        // The locker writes what it holds, the other lets go: the row comes with the commit, and the one that was locked only does not come
        // again.
        if (other.Length > 0) await second.ExecuteAsync("ROLLBACK");
        await first.ExecuteAsync("UPDATE items SET name = 'written', updated_at = now() WHERE id = 1");
        Assert.Equal(0, (await stream.PollAsync()).Rows);
        await first.ExecuteAsync("COMMIT");

        await ShouldArriveLateAsync(stream, plain, 1);
    }

    [Fact]
    public async Task a_late_update_in_place_arrives()
    {
        // Room on the page and no index on what is changed: the new version is chained to the old one, and no index leads to it.
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 20)");
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 20)");
        Assert.Equal(20, (await stream.PollAsync()).Rows);
        var plain = new PlainPoll(stream.Database);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync(
            "BEGIN; UPDATE items SET name = 'late', updated_at = now() WHERE id <= 10; SAVEPOINT s; "
            + "UPDATE items SET name = 'later', updated_at = now() WHERE id = 1");
        await using (var hot = new NpgsqlCommand("SELECT pg_stat_get_xact_tuples_hot_updated('items'::regclass)", late))
            Assert.Equal(11L, await hot.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp() WHERE id = 20");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        await late.ExecuteAsync("COMMIT");

        await ShouldArriveLateAsync(stream, plain, 10);
    }

    [Fact]
    public async Task rows_that_are_frozen_between_polls_arrive_once()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000); SAVEPOINT s; INSERT INTO items (id) VALUES (1001)");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        await late.ExecuteAsync("COMMIT");

        // Frozen are now: one that is published and above that horizon's xmin, and two that are not published.
        await stream.ExecuteAsync("VACUUM (FREEZE) items");
        Assert.True(
            await stream.Database.ScalarAsync<bool>(
                "SELECT bool_and(age(i.xmin) > age(c.relfrozenxid)) FROM items i, pg_class c WHERE c.oid = 'items'::regclass"),
            "the rows are not frozen");

        await ShouldArriveLateAsync(stream, plain, 2);
        await stream.ExecuteAsync("VACUUM (FREEZE) items");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (2)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
    }

    [Fact]
    public async Task rows_of_several_transactions_with_one_timestamp_arrive_when_each_commits()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        var plain = new PlainPoll(stream.Database);
        // Not earlier than any of the transactions' starts, and of many rows: pages end between equal ones.
        var insert =
            "INSERT INTO items (id, name, updated_at) SELECT i, repeat('x', 100), "
            + $"'{await stream.Database.ScalarAsync<string>("SELECT (now() + interval '1 h')::text")}' FROM generate_series";
        await using var one = await stream.Database.OpenSessionAsync();
        await using var two = await stream.Database.OpenSessionAsync();
        await one.ExecuteAsync($"BEGIN; {insert}(1, 50, 2) i");
        await two.ExecuteAsync($"BEGIN; {insert}(2, 50, 2) i");
        await stream.ExecuteAsync($"{insert}(51, 70) i");
        Assert.Equal(20, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        await two.ExecuteAsync("COMMIT");
        Assert.Equal(25, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        await one.ExecuteAsync("COMMIT");

        await ShouldArriveLateAsync(stream, plain, 25);
    }

    [Fact]
    public async Task a_row_that_is_updated_in_every_window_hides_no_other()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var plain = new PlainPoll(stream.Database);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        for (var window = 1; window <= 6; window++)
        {
            await using var late = await stream.Database.OpenSessionAsync();
            await late.ExecuteAsync($"BEGIN; INSERT INTO items (id) VALUES ({100 + window})");
            await stream.ExecuteAsync($"UPDATE items SET name = '{window}', updated_at = clock_timestamp() WHERE id = 1");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
            await plain.PollAsync();
            await late.ExecuteAsync($"UPDATE items SET name = '{window} again', updated_at = clock_timestamp() WHERE id = 1; COMMIT");
            Assert.Equal(2, (await stream.PollAsync()).Rows);
            await plain.PollAsync();
        }

        Assert.Equal(Enumerable.Repeat("1", 2 * 6), plain.Found);
        await ShouldArriveLateAsync(stream, plain, 0);
    }

    public static TheoryData<string, string> Ends => new()
    {
        { "COMMIT", "SELECT" }, { "PREPARE TRANSACTION 'late'", "COMMIT PREPARED 'late'" },
    };

    /// <summary>The order of a horizon's statements is what finds such a transaction: its bound first, and then the snapshot.</summary>
    /// <param name="between">Happens between two statements of a poll.</param>
    /// <param name="afterwards">Happens when the poll is over.</param>
    [Theory, MemberData(nameof(Ends))]
    public async Task a_transaction_that_ends_between_any_two_statements_of_a_poll_arrives_once(string between, string afterwards)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.PollAsync();
        var plain = new PlainPoll(stream.Database);
        var (statement, more) = (0, true);
        while (more)
        {
            statement++;
            await using var late = await stream.Database.OpenSessionAsync();
            await late.ExecuteAsync($"BEGIN; INSERT INTO items (id) VALUES ({1000 + statement})");
            // Later than the late one: the bound of a horizon that forgets it lies behind it.
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({statement})");
            await plain.PollAsync();
            long rows;
            using (var poll = new BetweenStatements(stream.Database.Name, statement, () => late.ExecuteAsync(between)))
            {
                rows = (await stream.PollAsync()).Rows;
                more = await poll.EnsureRunAsync();
            }
            await late.ExecuteAsync(afterwards);

            rows += (await stream.PollAsync()).Rows;
            Assert.True(rows == 2, $"after statement {statement} of the poll: {rows} rows of 2");
        }

        Assert.InRange(statement, 5, 50);
        await plain.PollAsync();
        Assert.Equal(Enumerable.Range(1, statement).Select(id => $"{id}"), plain.Found);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task without_a_view_of_others_transactions_those_within_the_delay_arrive_and_it_is_said_once()
    {
        var ddl = $"{TestStream.Items} GRANT SELECT ON items TO {PostgresServer.BlindRole};";
        await using var stream = await TestStream.CreateAsync(postgres, kafka, ddl, configure: o => o with
        {
            Postgres = o.Postgres with { User = PostgresServer.BlindRole, Password = PostgresServer.RolePassword, LateCommitSeconds = 600 },
        });
        var plain = new PlainPoll(stream.Database);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync(
            "BEGIN; INSERT INTO items (id, updated_at) VALUES (1000, now() - interval '590 s'); SAVEPOINT s; "
            + "INSERT INTO items (id) VALUES (1001)");
        for (var poll = 1; poll <= 5; poll++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({poll})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
            await plain.PollAsync();
            // The session is opened anew; what there was to say of it is said.
            if (poll != 3) continue;
            await stream.EndPollersSessionsAsync();
            await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);
        }
        await late.ExecuteAsync("COMMIT");

        await ShouldArriveLateAsync(stream, plain, 2);
        Assert.Single(stream.Log.Warnings, w => w.Contains("pg_read_all_stats", StringComparison.Ordinal));
    }

    /// <summary>Such a role sees what is prepared: its bound holds, too.</summary>
    [Fact]
    public async Task without_a_view_of_others_transactions_a_prepared_one_arrives_that_is_older_than_the_delay()
    {
        var ddl = $"{TestStream.Items} GRANT SELECT ON items TO {PostgresServer.BlindRole};";
        await using var stream = await TestStream.CreateAsync(postgres, kafka, ddl, configure: o => o with
        {
            Postgres = o.Postgres with { User = PostgresServer.BlindRole, Password = PostgresServer.RolePassword, LateCommitSeconds = 600 },
        });
        await stream.ExecuteAsync(
            "BEGIN; INSERT INTO items (id, updated_at) VALUES (1000, now() - interval '1 hour'); PREPARE TRANSACTION 'of an hour ago'");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.ExecuteAsync("COMMIT PREPARED 'of an hour ago'");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>The next poll finds so many rows that the plain one does not; and all is well in the end.</summary>
    private static async Task ShouldArriveLateAsync(TestStream stream, PlainPoll plain, int rows)
    {
        Assert.NotEmpty(plain.Found);
        plain.Found.Clear();
        Assert.Equal(rows, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        Assert.Empty(plain.Found);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }
}
