using OrdersStream.Configuration;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>What is said of triggers that do not write each deleted key down, and of those that did not for a while.</summary>
public sealed class DeleteTriggerTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Off = "so such deletes are not captured";

    private const string Partitioned =
        """
        CREATE TABLE items (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id);
        CREATE INDEX ON items (updated_at, id);
        CREATE TABLE low PARTITION OF items FOR VALUES FROM (0) TO (100);
        CREATE TABLE high (LIKE items) PARTITION BY RANGE (id);
        CREATE TABLE higher PARTITION OF high FOR VALUES FROM (100) TO (200);
        ALTER TABLE high ADD PRIMARY KEY (id);
        ALTER TABLE items ATTACH PARTITION high FOR VALUES FROM (100) TO (200);
        """;

    /// <summary>As an earlier db/orders.sql makes them, and as they can be made by statement.</summary>
    public static TheoryData<string> Whole =>
    [
        TestStream.ItemsAndDeletes,
        Partitioned + TestStream.Deletes,
        Partitioned + TestStream.Deletes + "CREATE TABLE next PARTITION OF items FOR VALUES FROM (200) TO (300);",
        TestStream.ItemsAndDeletes + "CREATE TRIGGER no_writer AFTER DELETE ON items FOR EACH ROW "
            + "WHEN (OLD.id > 5) EXECUTE FUNCTION items_deletes();",
        TestStream.ItemsAndDeletes + "DROP TRIGGER keys ON items; CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW "
            + "WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER keys;",
        TestStream.ItemsAndDeletes + ByStatement,
    ];

    private const string ByStatement =
        """
        DROP TRIGGER deletes ON items;
        CREATE FUNCTION items_gone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.items_deletes (id, deleted_at) SELECT id, clock_timestamp() FROM gone;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER deletes AFTER DELETE ON items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION items_gone();
        ALTER TABLE items ENABLE ALWAYS TRIGGER deletes;
        """;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(Whole))]
    public async Task nothing_is_said_of_triggers_that_write_each_key_down(string ddl)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(ddl);
        Assert.Empty(await WarningsAsync(database));
    }

    [Theory]
    [InlineData(Partitioned + "{0} ALTER TABLE low DISABLE TRIGGER deletes", "on DELETE of public.low, " + Off)]
    [InlineData(Partitioned + "{0} ALTER TABLE higher DISABLE TRIGGER keys", "on UPDATE of public.higher, " + Off)]
    [InlineData(Partitioned + "{0} DROP TRIGGER deletes ON items", "on DELETE of public.higher (and 1 more), " + Off)]
    [InlineData(Partitioned + "{0} DROP TRIGGER truncates ON items", "on TRUNCATE, " + Off)]
    [InlineData(TestStream.Items + "{0} CREATE TABLE of_2026 () INHERITS (items)",
        "on DELETE of public.of_2026 and on UPDATE of public.of_2026, " + Off)]
    [InlineData(TestStream.Items + "{0} DROP TRIGGER deletes ON items; CREATE TRIGGER deletes AFTER DELETE ON items FOR EACH ROW "
        + "WHEN (OLD.name = 'done') EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER deletes",
        "on DELETE, " + Off)]
    [InlineData(TestStream.Items + "{0} DROP TRIGGER deletes ON items; CREATE TRIGGER deletes AFTER DELETE ON items FOR EACH STATEMENT "
        + "EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER deletes",
        "on DELETE, " + Off)]
    [InlineData(TestStream.Items + "{0} DROP TRIGGER keys ON items; CREATE TRIGGER keys AFTER UPDATE OF name ON items FOR EACH ROW "
        + "EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER keys",
        "on UPDATE, " + Off)]
    [InlineData(TestStream.Items + "{0} DROP TRIGGER keys ON items; CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW "
        + "WHEN (OLD.name <> NEW.name) EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER keys",
        "on UPDATE, " + Off)]
    [InlineData(TestStream.Items + "{0} CREATE OR REPLACE FUNCTION items_deletes() RETURNS trigger LANGUAGE plpgsql AS "
        + "'BEGIN /* items_deletes */ RETURN NULL; -- items_deletes\nEND'", "on DELETE and on UPDATE and on TRUNCATE, " + Off)]
    [InlineData(TestStream.Items + "{0} ALTER TABLE items_deletes SET UNLOGGED", "is UNLOGGED")]
    [InlineData(TestStream.Items + "CREATE TABLE items_deletes (delete_id bigint NOT NULL, id bigint NOT NULL, "
        + "deleted_at timestamptz NOT NULL) PARTITION BY RANGE (deleted_at)", "does not fit the table's key (it is no ordinary table)")]
    [InlineData(TestStream.Items + "CREATE VIEW items_deletes AS SELECT 1", "does not fit the table's key (it is no ordinary table)")]
    public async Task what_keeps_deletes_from_being_written_down_is_named(string ddl, string warning)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(ddl.Replace("{0}", TestStream.Deletes, StringComparison.Ordinal));
        Assert.Contains(warning, Assert.Single(await WarningsAsync(database)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("numeric")]
    [InlineData("jsonb")]
    [InlineData("text COLLATE any_case")]
    public async Task a_key_that_can_be_equal_and_read_otherwise_is_named_where_its_trigger_does_not_look(string type)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(DeleteTests.KeysThatReadOtherwise(type));
        Assert.Empty(await WarningsAsync(database));
        await database.ExecuteAsync(
            "DROP TRIGGER keys ON items; CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW "
            + "WHEN (OLD.k IS DISTINCT FROM NEW.k) EXECUTE FUNCTION items_deletes(); ALTER TABLE items ENABLE ALWAYS TRIGGER keys");
        Assert.Contains(
            "a key whose k becomes an equal one that reads otherwise", Assert.Single(await WarningsAsync(database)),
            StringComparison.Ordinal);
    }

    /// <summary>Each looks, at the next poll, as it did before.</summary>
    [Theory]
    [InlineData(
        "ALTER TABLE items DISABLE TRIGGER deletes; DELETE FROM items WHERE id = 1; ALTER TABLE items ENABLE ALWAYS TRIGGER deletes")]
    [InlineData(
        """
        CREATE OR REPLACE FUNCTION items_deletes() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        DELETE FROM items WHERE id = 1;
        CREATE OR REPLACE FUNCTION items_deletes() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO public.items_deletes (id, deleted_at) VALUES (OLD.id, clock_timestamp()); RETURN NULL; END';
        """)]
    public async Task a_trigger_that_was_off_for_a_while_is_told_once(string purge)
    {
        await using var stream = await LoadedAsync(TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync(purge);
        for (var id = 101; id <= 103; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            await stream.PollAsync();
        }
        Assert.Single(stream.Log.Warnings, w => w.Contains("was changed, or off, since the last window", StringComparison.Ordinal));
    }

    /// <summary>A partition's are new with it, and are its parent's.</summary>
    [Fact]
    public async Task nothing_is_said_of_triggers_that_came_with_their_table()
    {
        await using var stream = await LoadedAsync(Partitioned + TestStream.Deletes);
        await stream.ExecuteAsync(
            "CREATE TABLE next PARTITION OF items FOR VALUES FROM (200) TO (300); CREATE INDEX ON items (name); ANALYZE items; "
            + "INSERT INTO items (id) VALUES (50), (250); DELETE FROM items WHERE id = 250");
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");
        await stream.PollAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("_deletes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'")]
    [InlineData("ALTER TABLE items ALTER COLUMN id TYPE bigint USING id + 1000")]
    public async Task a_key_that_reads_otherwise_by_now_is_told_once(string change)
    {
        await using var stream = await LoadedAsync(
            "CREATE TYPE state AS ENUM ('placed'); CREATE DOMAIN known AS state; "
            + "CREATE TABLE items (id bigint, state known DEFAULT 'placed', other known DEFAULT 'placed', "
            + "updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (state, id)); CREATE INDEX ON items (updated_at, state, id)");
        await stream.ExecuteAsync(change);
        for (var id = 101; id <= 103; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id, state, other) SELECT {id}, k, k FROM unnest(enum_range(NULL::state)) k");
            await stream.PollAsync();
        }
        Assert.Single(stream.Log.Warnings, w => w.Contains("may read otherwise than in the lake", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'")]
    [InlineData("ALTER TYPE state ADD VALUE 'lost'")]
    [InlineData("VACUUM FULL items")]
    [InlineData("ALTER TABLE items ALTER COLUMN name TYPE varchar(200) USING name || '!'")]
    public async Task nothing_is_said_of_a_key_that_reads_as_before(string change)
    {
        await using var stream = await LoadedAsync(
            "CREATE TYPE state AS ENUM ('placed'); " + TestStream.Items + "ALTER TABLE items ADD COLUMN state state DEFAULT 'placed';");
        await stream.ExecuteAsync(change);
        await stream.ExecuteAsync("INSERT INTO items (id, state) VALUES (101, NULL)");
        await stream.PollAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("may read otherwise than in the lake", StringComparison.Ordinal));
    }

    private async Task<TestStream> LoadedAsync(string ddl)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, ddl);
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT i FROM generate_series(1, 10) i");
        await stream.PollAsync();
        return stream;
    }

    private static async Task<IEnumerable<string>> WarningsAsync(TestDatabase database)
    {
        var options = new PostgresOptions
        {
            Host = database.Host, Port = database.Port, Db = database.Name, User = database.Superuser,
            Password = database.SuperuserPassword, Schema = "public", Table = "items",
        };
        await using var connection = await SourceConnection.OpenAsync(options, Cancellation);
        return [.. (await SourceCatalog.ReadAsync(connection, options, Cancellation)).TombstoneWarnings.Select(w => w.ToString())];
    }
}
