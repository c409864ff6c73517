using OrdersStream.Configuration;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A trigger answers for the ordering column only where no row of no writer comes past it.</summary>
public sealed class TimestampTriggerTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Functions =
        """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
        CREATE FUNCTION also_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END';
        CREATE FUNCTION sometimes() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.updated_at := coalesce(NEW.updated_at, clock_timestamp()); RETURN NEW; END';
        CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';
        """;

    private const string Columns = "(id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now())";
    private const string Plain = "CREATE TABLE items " + Columns + ";";
    private const string Parts =
        "CREATE TABLE items " + Columns + " PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF items FOR VALUES FROM (0) TO (50); "
        + "CREATE TABLE high PARTITION OF items FOR VALUES FROM (50) TO (1000);";
    private const string Children = "CREATE TABLE items " + Columns + "; CREATE TABLE child () INHERITS (items);";
    private const string Touch = "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();";
    private const string Subscribed =
        "CREATE SUBSCRIPTION theirs CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false); "
        + "INSERT INTO pg_subscription_rel SELECT oid, '{0}'::regclass, 'r', NULL FROM pg_subscription WHERE subname = 'theirs';";

    private const string Shadow =
        "CREATE SCHEMA theirs; CREATE FUNCTION theirs.clock_timestamp(days int DEFAULT 1) RETURNS timestamptz LANGUAGE sql AS "
        + "'SELECT now() - make_interval(days => days)';";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Plain + Touch)]
    [InlineData(Plain + Touch + "ALTER TABLE items ENABLE ALWAYS TRIGGER touch")]
    [InlineData(Plain + "CREATE TRIGGER a BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION touch(); "
        + "CREATE TRIGGER b BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION also_touch()")]
    [InlineData(Plain + Touch + "CREATE TRIGGER a BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION sometimes()")]
    [InlineData(Plain + Touch + "CREATE TRIGGER z BEFORE UPDATE OF name ON items FOR EACH ROW EXECUTE FUNCTION also_touch()")]
    [InlineData(Plain + Touch + "CREATE TRIGGER z AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION other()")]
    [InlineData(Plain + Touch + "CREATE TRIGGER z BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION other(); "
        + "ALTER TABLE items DISABLE TRIGGER z")]
    [InlineData(Plain + Touch + Shadow + "ALTER FUNCTION touch() SET search_path = public")]
    [InlineData(Plain + Touch + Shadow + "ALTER FUNCTION touch() SET search_path = pg_catalog, theirs")]
    [InlineData(Plain + Touch + Shadow + "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        + "'BEGIN NEW.updated_at := pg_catalog.clock_timestamp(); RETURN NEW; END'")]
    [InlineData(Plain + Touch + "CREATE SCHEMA theirs; CREATE FUNCTION theirs.clock_timestamp(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")]
    [InlineData(Parts + Touch)]
    [InlineData(Children + Touch + "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION touch()")]
    public async Task a_trigger_that_sets_the_column_of_every_row_counts(string ddl)
    {
        await using var database = await DatabaseAsync(ddl);

        var table = await ReadAsync(database);

        Assert.True(table.Trigger.Counts, $"{table.Trigger}");
        Assert.Equal(TimeSpan.FromSeconds(10), table.DefaultSlack);
        Assert.DoesNotContain(table.Warnings(), w => w.Problem.Contains("trigger", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Plain, null)]
    [InlineData(Plain + "CREATE TRIGGER a BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION other()", null)]
    [InlineData(Plain + "CREATE TRIGGER a AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()", null)]
    [InlineData(Plain + Touch + "ALTER TABLE items DISABLE TRIGGER touch", "disabled")]
    [InlineData(Plain + Touch + "ALTER TABLE items ENABLE REPLICA TRIGGER touch", "ENABLE REPLICA")]
    [InlineData(Plain + "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION touch()",
        "WHEN")]
    [InlineData(Plain + "CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF name ON items FOR EACH ROW EXECUTE FUNCTION touch()", "UPDATE OF")]
    [InlineData(Plain + "CREATE TRIGGER touch BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch()", "does not fire on INSERT")]
    [InlineData(Plain + "CREATE TRIGGER touch BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION touch()", "does not fire on UPDATE")]
    [InlineData(Plain + "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION sometimes()",
        "only sometimes")]
    [InlineData(Plain + Touch + "CREATE TRIGGER z BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION other()",
        "trigger z fires after it")]
    [InlineData(Plain + Touch + "ALTER TABLE items ENABLE ALWAYS TRIGGER touch; "
        + "CREATE TRIGGER z BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION sometimes(); ALTER TABLE items ENABLE REPLICA TRIGGER z",
        "trigger z fires after it")]
    [InlineData(Parts + "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON low FOR EACH ROW EXECUTE FUNCTION touch()",
        "missing on public.high")]
    [InlineData(Parts + Touch + "ALTER TABLE high DISABLE TRIGGER touch", "disabled (on public.high)")]
    [InlineData(Children + Touch, "missing on public.child")]
    [InlineData(Plain + Touch + Shadow, "theirs.clock_timestamp stands for its clock")]
    [InlineData(Plain + Touch + Shadow + "ALTER FUNCTION touch() SET search_path = theirs, pg_catalog",
        "theirs.clock_timestamp stands for its clock")]
    public async Task a_trigger_that_a_row_may_come_past_does_not_count_and_the_warning_says_why(string ddl, string? why)
    {
        await using var database = await DatabaseAsync(ddl);

        var table = await ReadAsync(database);

        Assert.False(table.Trigger.Counts);
        Assert.Equal(TimeSpan.FromSeconds(60), table.DefaultSlack);
        var warning = Assert.Single(table.Warnings(), w => w.Problem.Contains("trigger", StringComparison.Ordinal));
        Assert.Contains(why ?? "no trigger sets updated_at", warning.Problem, StringComparison.Ordinal);
        if (why is not null) Assert.Contains("trigger touch does not count", warning.Problem, StringComparison.Ordinal);
    }

    /// <summary>And where the table is a part of what is subscribed to, or the other way round.</summary>
    [Theory, InlineData(Plain, "items", "items"), InlineData(Parts, "low", "items"), InlineData(Parts, "items", "low")]
    public async Task what_a_subscription_applies_comes_past_a_trigger_that_is_not_enabled_always(
        string ddl, string subscribed, string read)
    {
        await using var database = await DatabaseAsync(ddl + Touch + string.Format(Subscribed, subscribed));
        try
        {
            var table = await ReadAsync(database, read);
            Assert.False(table.Trigger.Counts);
            Assert.Contains(
                table.Warnings(), w => w.Problem.Contains("subscription theirs writes into the table", StringComparison.Ordinal));

            await database.ExecuteAsync(table.Trigger.WhyNot!.Split("past it: ")[1].Split(" (on")[0]);
            if (read == "items" && ddl == Parts) await database.ExecuteAsync("ALTER TABLE items ENABLE ALWAYS TRIGGER touch");

            table = await ReadAsync(database, read);
            Assert.True(table.Trigger.Counts, $"{table.Trigger}");
            Assert.DoesNotContain(table.Warnings(), w => w.Problem.Contains("subscription", StringComparison.Ordinal));
        }
        finally
        {
            await database.ExecuteAsync("ALTER SUBSCRIPTION theirs SET (slot_name = NONE)");
            await database.ExecuteAsync("DROP SUBSCRIPTION theirs");
        }
    }

    [Theory]
    [InlineData("ALTER ROLE orders_stream_test_blind IN DATABASE {0} SET session_replication_role = replica",
        "role orders_stream_test_blind")]
    [InlineData("ALTER DATABASE {0} SET session_replication_role = 'Replica'", "the server or this role")]
    public async Task a_session_replication_role_that_is_set_comes_past_a_trigger_that_is_not_enabled_always(string setting, string whose)
    {
        await using var database = await DatabaseAsync(Plain + Touch);
        await database.ExecuteAsync(string.Format(setting, database.Name));

        var table = await ReadAsync(database);

        Assert.Contains(whose, table.Trigger.WhyNot, StringComparison.Ordinal);
        await database.ExecuteAsync(table.Trigger.WhyNot!.Split("past it: ")[1]);
        Assert.True((await ReadAsync(database)).Trigger.Counts);
    }

    /// <summary>Of a replication that is not the server's own, which applies rows in sessions that set the role for themselves.</summary>
    [Theory]
    [InlineData("SELECT pg_replication_origin_create('pgl_orders')", "replication origin pgl_orders")]
    [InlineData("CREATE FUNCTION apply() RETURNS void LANGUAGE sql SET session_replication_role = replica AS ''", "function public.apply")]
    public async Task what_applies_rows_past_triggers_is_found(string applies, string what)
    {
        // An origin is the whole server's.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var database = await server.CreateDatabaseAsync();
        foreach (var statement in new[] { Functions, Plain + Touch }) await database.ExecuteAsync(statement);
        Assert.True((await ReadAsync(database)).Trigger.Counts);

        await database.ExecuteAsync(applies);

        Assert.Contains(what, (await ReadAsync(database)).Trigger.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task what_a_crash_empties_and_keys_that_are_there_twice_are_warned_of()
    {
        await using var database = await DatabaseAsync(
            Children + "ALTER TABLE child SET UNLOGGED; INSERT INTO items (id) VALUES (1); INSERT INTO child (id) VALUES (1)");

        var warnings = (await ReadAsync(database)).Warnings();

        Assert.Contains(warnings, w => w.Problem.StartsWith("public.child inherits from \"public\".\"items\"", StringComparison.Ordinal));
        var unlogged = Assert.Single(warnings, w => w.Problem.Contains("UNLOGGED", StringComparison.Ordinal));
        await database.ExecuteAsync(unlogged.Remedy);
        Assert.DoesNotContain((await ReadAsync(database)).Warnings(), w => w.Problem.Contains("UNLOGGED", StringComparison.Ordinal));
    }

    /// <summary>What is dated back by less than the long slack is captured, though it is more than the short one.</summary>
    [Fact]
    public async Task a_trigger_that_keeps_what_a_client_says_leaves_the_long_slack()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            Functions + Plain + "CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION sometimes()",
            configure: o => o with { Postgres = o.Postgres with { SlackSeconds = null } });
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();

        await stream.ExecuteAsync("INSERT INTO items (id, updated_at) VALUES (2, now() - interval '30 s')");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
    }

    [Fact]
    public async Task a_trigger_that_is_disabled_while_rows_are_captured_is_warned_of()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Functions + Plain + Touch);
        await stream.PollAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("sets updated_at", StringComparison.Ordinal));

        await stream.ExecuteAsync("ALTER TABLE items DISABLE TRIGGER touch; INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();

        Assert.Contains(stream.Log.Warnings, w => w.Contains("it is disabled", StringComparison.Ordinal));
    }

    private async Task<TestDatabase> DatabaseAsync(string ddl)
    {
        var database = await postgres.CreateDatabaseAsync();
        foreach (var statement in new[] { Functions, ddl }) await database.ExecuteAsync(statement);
        return database;
    }

    private static async Task<SourceTable> ReadAsync(TestDatabase database, string table = "items")
    {
        var options = new PostgresOptions
        {
            Host = database.Host, Port = database.Port, Db = database.Name, User = PostgresServer.PipelineRole,
            Password = PostgresServer.RolePassword, Schema = "public", Table = table,
        };
        await using var connection = await SourceConnection.OpenAsync(options, Cancellation);
        return await SourceCatalog.ReadAsync(connection, options, Cancellation);
    }
}
