using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// The catalogue changes while others are at work: what a poll read of it before may be old, and what is new may seem so for long.
/// </summary>
public sealed class ChangesUnderWayTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Guard =
        """
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
        CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();
        """;

    /// <summary>Its row of the catalogue lies above H as long as anybody is open who began to write before.</summary>
    [Fact]
    public async Task a_label_that_is_added_behind_an_open_transaction_publishes_nothing_again()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, "CREATE TYPE state AS ENUM ('placed'); " + TestStream.Items
            + "ALTER TABLE items ADD COLUMN state state NOT NULL DEFAULT 'placed'");
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT i FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()");
        await stream.ExecuteAsync("ALTER TYPE state ADD VALUE 'sent'");
        for (var id = 51; id <= 53; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id, state) VALUES ({id}, 'sent')");
            await stream.PollAndStoreAsync();
        }
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("published twice", StringComparison.Ordinal));
    }

    /// <summary>
    /// Who is open may have begun before the trigger was there, and so all rows are looked at with each window: each comes once more at
    /// most.
    /// </summary>
    [Fact]
    public async Task a_trigger_that_is_made_behind_an_open_transaction_publishes_no_row_with_each_poll()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var elsewhere = await server.CreateDatabaseAsync();
        await using var open = await elsewhere.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()");
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.Items + Guard);
        await stream.ExecuteAsync(
            "ALTER TABLE items DISABLE TRIGGER guard; "
            + "INSERT INTO items SELECT i, 'of yesterday', now() - interval '1 day' FROM generate_series(1, 30) i; "
            + "ALTER TABLE items ENABLE TRIGGER guard");

        var rows = new List<long>();
        for (var poll = 0; poll < 4; poll++)
        {
            rows.Add((await stream.PollAsync()).Rows);
            await stream.ExecuteAsync($"INSERT INTO items (id, name) VALUES ({1_000 + poll}, 'of now')");
        }

        Assert.Equal(30, rows[0]);
        Assert.InRange(rows[1], 1, 31);
        Assert.Equal([1, 1], rows[2..]);
        Assert.Contains(stream.Log.Lines, l => l.Id == 1011);
        await stream.StoreEverythingAsync();
    }

    /// <summary>The poll has read that the trigger is there, and then waits for the one who drops it.</summary>
    [Fact]
    public async Task rows_of_a_transaction_that_drops_the_trigger_are_captured_by_the_poll_that_waits_for_it()
    {
        await using var stream = await GuardedAsync(postgres);
        await stream.ExecuteAsync("CREATE TABLE elsewhere (id int)");
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync(
                "BEGIN; DROP TRIGGER guard ON items; UPDATE items SET name = 'as it was' WHERE id < 10; "
                + "INSERT INTO items SELECT i, 'dated back', now() - interval '1 day' FROM generate_series(51, 60) i");
            await stream.ExecuteAsync("INSERT INTO elsewhere VALUES (1)");
            var poll = await PollThatWaitsAsync(stream);
            await migration.ExecuteAsync("COMMIT");
            await poll;
        }
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (61)");
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>It looks for the rows that it has seen last, by their keys.</summary>
    [Fact]
    public async Task a_poll_behind_a_restart_that_waits_for_another_key_reads_the_table_as_it_is_by_then()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await GuardedAsync(server);
        await stream.DrainAsync();
        await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync("BEGIN; ALTER TABLE items RENAME COLUMN id TO number");
            var poll = await PollThatWaitsAsync(stream);
            await migration.ExecuteAsync("COMMIT");
            await poll;
        }
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestOfKeysShouldEqualTableAsync("number IS NOT NULL", "number");
    }

    /// <summary>The poll has read the columns, and then waits for the one who changes them.</summary>
    [Theory]
    [InlineData("ALTER TABLE items RENAME COLUMN id TO number")]
    [InlineData("ALTER TABLE items DROP COLUMN id, ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")]
    public async Task a_poll_that_waits_for_another_key_reads_the_table_as_it_is_by_then(string change)
    {
        await using var stream = await GuardedAsync(postgres);
        await stream.ExecuteAsync("CREATE TABLE elsewhere (id int)");
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync($"BEGIN; {change}");
            await stream.ExecuteAsync("INSERT INTO elsewhere VALUES (1)");
            var poll = await PollThatWaitsAsync(stream);
            await migration.ExecuteAsync("COMMIT");
            await poll;
        }
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestOfKeysShouldEqualTableAsync("number IS NOT NULL", "number");
    }

    /// <summary>Who changed it was done before the lock was asked for, so nobody had to wait.</summary>
    [Theory, InlineData("id", "number"), InlineData("name", "title")]
    public async Task a_horizon_is_of_the_table_as_it_is_under_the_lock_though_the_lock_was_free(string column, string name)
    {
        await using var stream = await GuardedAsync(postgres);
        var (options, token) = (stream.Options.Postgres, TestContext.Current.CancellationToken);
        await using var connection = await SourceConnection.OpenAsync(options, token);
        var reader = new HorizonReader(
            connection, await SourceServer.ReadAsync(connection, token), options,
            new LockWait(options, TimeProvider.System, NullLogger.Instance), TimeProvider.System);
        var before = await SourceCatalog.ReadAsync(connection, options, token);
        await stream.ExecuteAsync($"ALTER TABLE items RENAME COLUMN {column} TO {name}");

        var (horizon, _, table) = await reader.TakeAsync(before, null, token);

        Assert.Contains(table.Schema.Columns, c => c.Name == name);
        Assert.Equal(table.Order, horizon.KeyOrder);
    }

    [Fact]
    public async Task a_table_of_deletes_that_is_dropped_while_a_poll_waits_for_it_is_missed_by_the_next_one()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT i FROM generate_series(1, 50) i");
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync("BEGIN; DROP TABLE items_deletes");
            var poll = await PollThatWaitsAsync(stream, "items_deletes");
            await migration.ExecuteAsync("COMMIT");
            var failure = await Assert.ThrowsAnyAsync<Exception>(() => poll);
            Assert.Equal(FailureAction.Retry, FailurePolicy.Judge(failure).Action);
        }
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>On a server of its own: behind what others have open the new trigger is a reason.</summary>
    [Fact]
    public async Task a_trigger_that_sets_no_row_before_it_is_written_is_no_reason_to_look_at_all_rows()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await GuardedAsync(server);
        await stream.ExecuteAsync(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
            + "CREATE TRIGGER told AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION tell(); "
            + "CREATE TRIGGER began BEFORE INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION tell()");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Lines, line => line.Id == 1011);
    }

    /// <summary>Nobody else reads its rows, not even through the table. On a server of its own, as above.</summary>
    [Fact]
    public async Task a_temporary_table_of_a_session_that_inherits_from_the_table_is_no_part_of_it()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await GuardedAsync(server);
        await using var session = await stream.Database.OpenSessionAsync();
        await session.ExecuteAsync("CREATE TEMP TABLE mine () INHERITS (items); INSERT INTO mine VALUES (1000, 'mine', '2020-01-01')");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (52)");
        await stream.PollAndStoreAsync();
        Assert.Equal(52, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("sets updated_at", StringComparison.Ordinal));
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("inherits", StringComparison.Ordinal));
        Assert.DoesNotContain(stream.Log.Lines, line => line.Id == 1011);
    }

    /// <returns>It, which waits by now for whoever changes the table.</returns>
    private static async Task<Task> PollThatWaitsAsync(TestStream stream, string table = "items")
    {
        var poll = stream.PollAsync();
        await stream.Database.UntilAsync(
            "the poll waits", $"SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass)");
        return poll;
    }

    private async Task<TestStream> GuardedAsync(PostgresServer server)
    {
        var stream = await TestStream.CreateAsync(server, kafka, TestStream.Items + Guard);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'first' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        return stream;
    }
}
