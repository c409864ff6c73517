using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>Commands that write, move or replace rows in ways of their own, or change who may read them: none costs a row.</summary>
public sealed class TableCommandTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Partitioned =
        """
        CREATE TABLE items (id bigint, name text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (1001) TO (5001);
        CREATE INDEX ON items (updated_at, id);
        CREATE TABLE joining (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
        INSERT INTO joining SELECT i, 'joined', now() - interval '1 year' FROM generate_series(1, 500) i;
        """;

    private const string Attach = "ALTER TABLE items ATTACH PARTITION joining FOR VALUES FROM (1) TO (1001)";

    private const string Trigger =
        "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END'; "
        + "CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();";

    private const string Past =
        "ALTER TABLE items DISABLE TRIGGER USER; UPDATE items SET name = 'as it was' WHERE id % 7 = 0; "
        + "ALTER TABLE items ENABLE TRIGGER USER";

    private static readonly string[] Commands =
    [
        """BEGIN; TRUNCATE items; COPY items FROM PROGRAM 'seq 1 2000 | sed "s/$/\tfrozen\t2020-01-01/"' (FREEZE); COMMIT""",
        "BEGIN; TRUNCATE items RESTART IDENTITY; INSERT INTO items SELECT i, 'again', '2020-01-01' FROM generate_series(1, 2000) i; COMMIT",
        "ALTER TABLE items SET UNLOGGED; UPDATE items SET name = 'b', updated_at = now() WHERE id % 5 = 0; ALTER TABLE items SET LOGGED",
        "CLUSTER items USING items_pkey",
        "ALTER TABLE items ADD COLUMN number int GENERATED ALWAYS AS IDENTITY",
        "ALTER TABLE items ADD COLUMN twice bigint GENERATED ALWAYS AS (id * 2) STORED",
        "CREATE DOMAIN word AS text DEFAULT 'none'; ALTER TABLE items ADD COLUMN word word",
        "CREATE DOMAIN word AS text; ALTER TABLE items ALTER COLUMN name TYPE word",
        "ALTER TABLE items ALTER COLUMN updated_at TYPE timestamptz(0)",
        "INSERT INTO items VALUES (1, 'b', now()) ON CONFLICT (id) DO UPDATE SET name = 'b', updated_at = now()",
        "MERGE INTO items USING generate_series(1, 9) i ON id = i WHEN MATCHED THEN UPDATE SET name = 'b', updated_at = now()",
        "INSERT INTO items VALUES (2001, 'b', 'infinity'); UPDATE items SET updated_at = 'infinity' WHERE id = 3",
    ];

    public static TheoryData<string, bool> AllCommands => [.. Commands.SelectMany(c => new[] { (c, false), (c, true) })];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, MemberData(nameof(AllCommands))]
    public async Task a_command_costs_no_row_and_none_of_its_values(string command, bool isInLoad)
    {
        await using var stream = await LoadedAsync(TestStream.Items);
        if (isInLoad) await stream.Instance.PollOnePageAsync();
        else await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 10 = 0");
        await stream.ExecuteAsync(command);
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>The position is of a version that wrote down nothing of the catalogue.</summary>
    [Theory]
    [InlineData("ALTER TABLE items ALTER COLUMN name TYPE varchar(200) USING name || '!'")]
    [InlineData("ALTER TABLE items ADD COLUMN other int NOT NULL DEFAULT 7")]
    [InlineData("ALTER TABLE items RENAME COLUMN name TO title")]
    [InlineData("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'")]
    [InlineData("ALTER TABLE late INHERIT items")]
    [InlineData(Past)]
    [InlineData("ALTER TABLE items DROP COLUMN name; ALTER TABLE items ADD COLUMN name text")]
    public async Task a_change_behind_a_position_without_facts_costs_no_row_and_none_of_its_values(string change)
    {
        await using var stream = await LoadedAsync(
            "CREATE TYPE state AS ENUM ('placed');" + TestStream.Items + "ALTER TABLE items ADD COLUMN state state DEFAULT 'placed';"
            + Trigger + "CREATE TABLE late (LIKE items INCLUDING ALL); INSERT INTO late SELECT i, 'late', now() - interval '1 year' "
            + "FROM generate_series(5001, 5100) i;");
        await stream.PollAndStoreAsync();
        await stream.Instance.DisposeAsync();
        var file = new WatermarkFile(stream.Options);
        var position = file.Read()!;
        Assert.NotNull(position.Horizon!.Facts);
        await File.WriteAllBytesAsync(
            file.Path, (position with { Horizon = position.Horizon with { Facts = null } }).ToStateFile(), Cancellation);
        await stream.ExecuteAsync(change);
        await stream.RestartAsync();
        await LakeShouldComeToTheTableAsync(stream);
    }

    [Fact]
    public async Task a_partition_that_is_detached_written_to_and_attached_again_is_captured_whole()
    {
        await using var stream = await LoadedAsync(Partitioned + Attach + ";", from: 1001);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items DETACH PARTITION joining");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE joining SET name = 'written apart' WHERE id % 2 = 0");
        await stream.ExecuteAsync(Attach);
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>Its keys lie before the cursor, so that the window passes over them.</summary>
    [Fact]
    public async Task a_partition_that_is_attached_while_a_window_is_read_is_captured_whole()
    {
        await using var stream = await LoadedAsync(Partitioned, from: 1001);
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync(Attach);
        await stream.Instance.PollOnePageAsync();
        await LakeShouldComeToTheTableAsync(stream);
        Assert.Equal(500, stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE id <= 500").Count);
    }

    [Fact]
    public async Task a_row_too_large_in_a_partition_that_is_attached_is_kept_and_all_others_arrive()
    {
        await using var stream = await LoadedAsync(
            Partitioned, from: 1001, o => o with { Postgres = o.Postgres with { TooLarge = "quarantine" } });
        await stream.ExecuteAsync("UPDATE joining SET name = repeat('b', 20000000) WHERE id = 250");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(Attach);
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync("id <> 250");
        Assert.Single(stream.Log.Lines, l => l.Id == 2007);
    }

    [Theory]
    [InlineData("REVOKE SELECT ON items FROM {0}", "GRANT SELECT ON items TO {0}")]
    [InlineData("REVOKE SELECT ON items FROM {0}; GRANT SELECT (id, updated_at) ON items TO {0}", "GRANT SELECT ON items TO {0}")]
    [InlineData("CREATE POLICY few ON items USING (id < 10); ALTER TABLE items ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE items DISABLE ROW LEVEL SECURITY")]
    public async Task what_is_hidden_from_the_role_between_two_pages_stops_capture_until_it_is_seen_again(string hide, string show)
    {
        await using var stream = await LoadedAsync(
            TestStream.Items + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole};", configure: o => o with
            {
                Postgres = o.Postgres with { User = PostgresServer.PipelineRole, Password = PostgresServer.RolePassword },
            });
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync(string.Format(hide, PostgresServer.PipelineRole));
        var stop = await Assert.ThrowsAnyAsync<Exception>(stream.DrainAsync);
        Assert.Equal(FailureAction.Stop, FailurePolicy.Judge(stop).Action);
        await stream.ExecuteAsync(string.Format(show, PostgresServer.PipelineRole));
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>What it applies comes past the trigger, with the publisher's time.</summary>
    [Fact]
    public async Task a_subscription_that_writes_into_the_table_from_now_on_is_named_and_its_rows_are_captured()
    {
        const string applied = "SET session_replication_role = replica; INSERT INTO items VALUES ({0}, 'applied', now() - interval '30 s')";
        await using var stream = await LoadedAsync(
            TestStream.Items + Trigger, configure: o => o with { Postgres = o.Postgres with { SlackSeconds = null } });
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            "CREATE SUBSCRIPTION theirs CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false); "
            + "INSERT INTO pg_subscription_rel SELECT oid, 'items'::regclass, 'r', NULL FROM pg_subscription WHERE subname = 'theirs'");
        try
        {
            for (var id = 5001; id <= 5003; id++)
            {
                await stream.ExecuteAsync(string.Format(applied, id));
                await stream.PollAndStoreAsync();
            }
        }
        finally
        {
            await stream.ExecuteAsync("ALTER SUBSCRIPTION theirs SET (slot_name = NONE)");
            await stream.ExecuteAsync("DROP SUBSCRIPTION theirs");
        }
        await stream.NewestShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("subscription theirs writes into the table", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_prepared_transaction_that_rewrites_the_table_costs_no_row()
    {
        await using var stream = await LoadedAsync(TestStream.Items);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            "BEGIN; UPDATE items SET name = 'late', updated_at = now() WHERE id % 3 = 0; "
            + $"ALTER TABLE items ALTER COLUMN name TYPE varchar(200) USING name || '!'; PREPARE TRANSACTION '{stream.Database.Name}'");
        await stream.ExecuteAsync("SELECT pg_current_xact_id()");
        var poll = stream.PollAsync();
        await stream.Database.UntilAsync(
            "the poll waits", "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass)");
        await stream.ExecuteAsync($"COMMIT PREPARED '{stream.Database.Name}'");
        await poll;
        await LakeShouldComeToTheTableAsync(stream);
    }

    private async Task<TestStream> LoadedAsync(
        string ddl, int from = 1, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, ddl, configure: o =>
        {
            var small = o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } };
            return configure?.Invoke(small) ?? small;
        });
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name, updated_at) SELECT i, 'first', now() - interval '1 day' "
            + $"FROM generate_series({from}, {from + 1999}) i");
        return stream;
    }

    private static async Task LakeShouldComeToTheTableAsync(TestStream stream)
    {
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync();
    }
}
