using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>Rows that change, join or come to light without a new version of them that the time or the id would tell.</summary>
public sealed class HiddenChangesTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Rewrite = "ALTER TABLE items ALTER COLUMN name TYPE varchar(200) USING name || '!'";

    private const string Partitioned =
        """
        CREATE TABLE items (id bigint, name text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (1) TO (1001);
        CREATE INDEX ON items (updated_at, id);
        """;

    private const string JoiningLater =
        "CREATE TABLE items_2 (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()); "
        + "INSERT INTO items_2 SELECT i, 'joined', now() - interval '1 year' FROM generate_series(1001, 1500) i; ";

    private const string Exchange =
        "ALTER TABLE items RENAME name TO other; ALTER TABLE items RENAME state TO name; ALTER TABLE items RENAME other TO state";

    private const string GuardOff = "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';";

    private const string GuardOn =
        "CREATE OR REPLACE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS "
        + "'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';";

    private const string Guard =
        GuardOn + "CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();";

    public static TheoryData<string> Rewrites => [
        Rewrite,
        "ALTER TABLE items ADD COLUMN at timestamptz DEFAULT clock_timestamp()",
        "CREATE TABLE kept AS SELECT * FROM items; TRUNCATE items; INSERT INTO items SELECT * FROM kept",
        "CREATE TABLE kept AS SELECT id, 'reloaded', updated_at FROM items; TRUNCATE items; INSERT INTO items SELECT * FROM kept",
        "VACUUM FULL items",
        "ALTER TABLE items ADD COLUMN other int NOT NULL DEFAULT 7",
        "ALTER TABLE items RENAME COLUMN name TO title",
    ];

    [Theory, MemberData(nameof(Rewrites))]
    public async Task a_rewrite_while_the_table_is_loaded_costs_no_row(string rewrite)
    {
        await using var stream = await LoadedAsync(3_000, o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.Instance.PollOnePageAsync();
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 10 = 0");
        await stream.ExecuteAsync(rewrite);
        await stream.RestartAsync();

        await LakeShouldComeToTheTableAsync(stream);
    }

    [Theory, MemberData(nameof(Rewrites))]
    public async Task a_rewrite_while_nobody_captures_costs_no_row_and_none_of_its_values(string rewrite)
    {
        await using var stream = await LoadedAsync(500);
        await stream.PollAndStoreAsync();
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 10 = 0");
        await stream.ExecuteAsync(rewrite);
        await stream.RestartAsync();

        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>Capture starts while the rewriter is at work: what it commits has its own id, and the old times.</summary>
    [Fact]
    public async Task a_rewrite_that_is_committed_while_a_poll_waits_for_it_costs_no_row()
    {
        await using var stream = await LoadedAsync(500);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id % 10 = 0");
        await using (var migration = await stream.Database.OpenSessionAsync())
        {
            await migration.ExecuteAsync($"BEGIN; {Rewrite}");
            var poll = stream.PollAsync();
            await stream.Database.UntilAsync(
                "the poll waits", "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass)");
            await migration.ExecuteAsync("COMMIT");
            await poll;
        }
        await LakeShouldComeToTheTableAsync(stream);
    }

    [Fact]
    public async Task files_that_are_replaced_by_the_same_rows_publish_nothing_again()
    {
        // A transaction that is open elsewhere in the server makes what was written behind its id come once more: not wrong, and said.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await LoadedAsync(200, server: server);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("VACUUM FULL items");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (201)");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Contains(stream.Log.Lines, line => line.Id == 1011);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task a_partition_that_is_attached_is_captured_whole_however_old_its_rows_are(bool isAttachedInAttached)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Partitioned);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'first' FROM generate_series(1, 500) i");
        await stream.ExecuteAsync(JoiningLater);
        if (isAttachedInAttached)
            await stream.ExecuteAsync(
                "CREATE TABLE between_them (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()) "
                + "PARTITION BY RANGE (id); ALTER TABLE between_them ATTACH PARTITION items_2 FOR VALUES FROM (1001) TO (2001)");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            $"ALTER TABLE items ATTACH PARTITION {(isAttachedInAttached ? "between_them" : "items_2")} FOR VALUES FROM (1001) TO (2001)");
        await stream.PollAndStoreAsync();

        Assert.Equal(1_000, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
        // Once, and not at each later poll.
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (501)");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_table_that_inherits_from_now_on_is_captured_whole()
    {
        await using var stream = await LoadedAsync(500);
        await stream.ExecuteAsync(JoiningLater);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items_2 INHERIT items");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Its first child changes the row of a table in the catalogue, and none of its files.</summary>
    [Fact]
    public async Task what_joins_is_no_reason_to_look_at_the_rows_that_were_there()
    {
        await using var stream = await LoadedAsync(500);
        await stream.ExecuteAsync(JoiningLater);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items_2 INHERIT items");
        await stream.PollAndStoreAsync();
        var looking = stream.Log.Lines.Single(line => line.Id == 1011);
        Assert.Contains("other tables became part of it", looking.Message, StringComparison.Ordinal);
        Assert.Equal(1_000, stream.Lake.Count());
    }

    [Theory]
    [InlineData("ALTER TABLE items DISABLE TRIGGER ALL", "ALTER TABLE items ENABLE TRIGGER ALL")]
    [InlineData("DROP TRIGGER guard ON items",
        "CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard()")]
    [InlineData(GuardOff, GuardOn)]
    public async Task rows_that_were_written_past_the_trigger_while_it_was_off_are_captured(string off, string on)
    {
        await using var stream = await GuardedAsync(50);
        await stream.ExecuteAsync(
            $"BEGIN; {off}; INSERT INTO items SELECT i, 'dated back', now() - interval '1 day' FROM generate_series(51, 60) i; "
            + $"UPDATE items SET name = 'as it was' WHERE id < 10; {on}; COMMIT");
        await stream.PollAndStoreAsync();
        // A transaction that is open elsewhere in the server makes what was written behind its id come once more: not wrong, and said.
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>A function is replaced while others write: no lock keeps them from committing long after it is put right.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task rows_that_were_written_past_the_triggers_function_are_captured_however_late_they_are_committed(bool isPrepared)
    {
        await using var stream = await GuardedAsync(50);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN");
        await stream.ExecuteAsync(GuardOff);
        await late.ExecuteAsync("INSERT INTO items SELECT i, 'dated back', now() - interval '1 day' FROM generate_series(51, 60) i");
        await stream.ExecuteAsync("INSERT INTO items VALUES (61, 'dated back', now() - interval '1 day')");
        await late.ExecuteAsync("UPDATE items SET name = 'as it was' WHERE id < 10");
        await stream.ExecuteAsync(GuardOn);
        if (isPrepared) await late.ExecuteAsync("PREPARE TRANSACTION 'past the guard'");
        for (var id = 101; id <= 103; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            await stream.PollAndStoreAsync();
        }
        await late.ExecuteAsync(isPrepared ? "COMMIT PREPARED 'past the guard'" : "COMMIT");
        await stream.PollAndStoreAsync();
        // What was committed early comes with each window until the late one has ended: once more than needed is not wrong, and it is said.
        await stream.NewestShouldEqualTableAsync();
        Assert.Single(stream.Log.Lines, line => line.Id == 1011);
    }

    [Fact]
    public async Task a_label_that_is_renamed_is_captured_again_and_one_that_is_added_is_not()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, "CREATE TYPE state AS ENUM ('placed', 'sent'); " + TestStream.Items
            + "ALTER TABLE items ADD COLUMN state state NOT NULL DEFAULT 'placed', ADD COLUMN past state[]");
        await stream.ExecuteAsync("INSERT INTO items (id, past) SELECT i, '{placed}' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TYPE state ADD VALUE 'lost'");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");
        await stream.PollAndStoreAsync();
        Assert.Equal(51, stream.Lake.Count());

        await stream.ExecuteAsync("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'");
        await LakeShouldComeToTheTableAsync(stream);
        Assert.Contains(stream.Log.Warnings, w => w.Contains("a label of an enum was renamed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("CREATE DOMAIN one AS state; CREATE DOMAIN two AS one;", "two")]
    [InlineData("CREATE DOMAIN many AS state[]; CREATE DOMAIN more AS many;", "more")]
    public async Task a_label_is_found_however_deep_it_lies(string types, string type)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, $"CREATE TYPE state AS ENUM ('placed'); {types} {TestStream.Items} ALTER TABLE items ADD COLUMN state {type}");
        var placed = type == "two" ? "placed" : "{placed}";
        await stream.ExecuteAsync($"INSERT INTO items (id, state) SELECT i, '{placed}' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'");
        Assert.Equal(50, (await stream.PollAsync()).Rows);
    }

    [Theory]
    [InlineData("CREATE TYPE pair AS (a int, b state);", "pair", "(1,placed)")]
    [InlineData("CREATE TYPE span AS RANGE (subtype = state);", "span", "[placed,placed]")]
    [InlineData("CREATE TYPE span AS RANGE (subtype = state);", "span_multirange", "{[placed,placed]}")]
    public async Task a_label_is_found_below_types_that_are_carried_as_text(string types, string type, string value)
    {
        await using var stream = await OfTypeAsync(types, type, value);
        await stream.ExecuteAsync("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'");
        Assert.Equal(50, (await stream.PollAsync()).Rows);
    }

    /// <summary>No row is written, and each reads otherwise.</summary>
    [Theory, InlineData("DROP ATTRIBUTE b"), InlineData("ADD ATTRIBUTE c int")]
    public async Task an_attribute_that_a_composite_type_gets_or_loses_is_captured(string change)
    {
        await using var stream = await OfTypeAsync("CREATE TYPE pair AS (a int, b text);", "pair", "(1,x)");
        await stream.ExecuteAsync($"ALTER TYPE pair {change}");
        Assert.Equal(50, (await stream.PollAsync()).Rows);
        Assert.Contains(stream.Log.Warnings, w => w.Contains("a composite type got or lost an attribute", StringComparison.Ordinal));
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
    }

    private async Task<TestStream> OfTypeAsync(string types, string type, string value)
    {
        var stream = await TestStream.CreateAsync(
            postgres, kafka, $"CREATE TYPE state AS ENUM ('placed'); {types} {TestStream.Items} ALTER TABLE items ADD COLUMN it {type}",
            configure: o => o with { Postgres = o.Postgres with { OtherTypes = "text" } });
        await stream.ExecuteAsync($"INSERT INTO items (id, it) SELECT i, '{value}' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        return stream;
    }

    /// <summary>The child had it all the time, with values.</summary>
    [Fact]
    public async Task a_column_that_a_child_has_and_its_parent_gets_is_captured_again()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + "CREATE TABLE child (note text, PRIMARY KEY (id)) INHERITS (items);");
        await stream.ExecuteAsync("INSERT INTO child (id, note) SELECT i, 'was there' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN note text");
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>The server compares no values of such a domain, but of the enum.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_key_of_a_domain_over_an_enum_is_read_page_by_page(bool isInLoad)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka,
            "CREATE TYPE state AS ENUM ('placed', 'sent'); CREATE DOMAIN known AS state; "
            + "CREATE TABLE items (state known, id bigint, name text, updated_at timestamptz NOT NULL DEFAULT now(), "
            + "PRIMARY KEY (state, id)); CREATE INDEX ON items (updated_at, state, id)",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT k, i, 'x' FROM generate_series(1, 1000) i, unnest(enum_range(NULL::state)) k");
        if (isInLoad) await stream.Instance.PollOnePageAsync();
        else await stream.DrainAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'y', updated_at = clock_timestamp() WHERE id % 3 = 0");
        await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestOfKeysShouldEqualTableAsync("true", "state", "id");
    }

    /// <summary>What was read in between has the other name, and the table looks as it did.</summary>
    [Theory]
    [InlineData("ALTER TABLE items RENAME COLUMN name TO title", "ALTER TABLE items RENAME COLUMN title TO name")]
    [InlineData(Exchange, Exchange)]
    [InlineData("ALTER TYPE state RENAME VALUE 'placed' TO 'sent'", "ALTER TYPE state RENAME VALUE 'sent' TO 'placed'")]
    public async Task a_name_that_is_another_for_a_while_as_the_table_is_loaded_is_captured_again(string change, string back)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            $"CREATE TYPE state AS ENUM ('placed'); {TestStream.Items} ALTER TABLE items ADD COLUMN state state NOT NULL DEFAULT 'placed'",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'first', now() - interval '1 day' FROM generate_series(1, 1000) i");
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync(change);
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync(back);
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>It is no reason to read what is read once more.</summary>
    [Fact]
    public async Task a_column_that_is_added_while_the_table_is_loaded_publishes_nothing_again()
    {
        await using var stream = await LoadedAsync(1_000, o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN other int");
        await stream.DrainAsync();
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1001)");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task changes_of_the_table_that_leave_its_values_alone_publish_nothing_again()
    {
        await using var stream = await LoadedAsync(50);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            "ALTER TABLE items ADD COLUMN empty int; ALTER TABLE items ALTER COLUMN empty SET DEFAULT 4; "
            + "ALTER TABLE items ADD CONSTRAINT not_odd CHECK (id > 0); CREATE INDEX ON items (name); ANALYZE items; "
            + "GRANT SELECT ON items TO PUBLIC; ALTER TABLE items SET (fillfactor = 90); INSERT INTO items (id) VALUES (51)");
        await stream.PollAndStoreAsync();
        Assert.Equal(51, stream.Lake.Count());
        await stream.LakeShouldEqualTableAsync();
    }

    [Theory]
    [InlineData("ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (name, id)")]
    [InlineData("ALTER TABLE items ALTER COLUMN id TYPE numeric(20)")]
    public async Task a_key_that_changes_while_the_table_is_loaded_costs_no_row(string change)
    {
        await using var stream = await LoadedAsync(3_000, o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("UPDATE items SET name = 'n' || (3000 - id); ALTER TABLE items ALTER name SET NOT NULL");
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync(change);
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();

        var lake = stream.Lake.Rows($"SELECT count(DISTINCT name) FROM {stream.Lake.Source}");
        Assert.Equal("3000", lake[0][0]);
    }

    /// <summary>As the collation was, all of what sorts before the cursor was read; as it is, much of what does was not.</summary>
    [Fact]
    public async Task a_key_whose_collation_changes_while_the_table_is_loaded_costs_no_row()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id text COLLATE \"und-x-icu\" PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now())",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync(
            "INSERT INTO items (id) SELECT CASE WHEN i % 2 = 0 THEN chr(97 + i % 26) ELSE chr(65 + i % 26) END || i "
            + "FROM generate_series(1, 3000) i");
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync("ALTER TABLE items ALTER COLUMN id TYPE text COLLATE \"C\"");
        await stream.RestartAsync();
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>What a position has of the key is no value of it any more: a place in a window, and the witnesses.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_label_of_the_key_that_is_renamed_does_not_end_capture(bool isInLoad)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka,
            "CREATE TYPE state AS ENUM ('placed', 'sent'); "
            + "CREATE TABLE items (id bigint, state state, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (state, id)); "
            + "CREATE INDEX ON items (updated_at, state, id)",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'placed' FROM generate_series(1, 2000) i");
        if (isInLoad) await stream.Instance.PollOnePageAsync();
        else await stream.DrainAsync();
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync("ALTER TYPE state RENAME VALUE 'placed' TO 'ordered'; INSERT INTO items VALUES (1, 'sent')");
        if (!isInLoad) await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();

        // Under their old keys they stay: no trigger fired.
        await stream.NewestOfKeysShouldEqualTableAsync("CAST(state AS text) <> 'placed'", "state", "id");
    }

    /// <summary>The same of a domain that does not take all that is there.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task a_domain_of_the_key_that_refuses_rows_that_are_there_does_not_end_capture(bool isInLoad)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka,
            "CREATE DOMAIN number AS bigint; CREATE TABLE items (id number PRIMARY KEY, name text, "
            + "updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON items (updated_at, id)",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 16 * 1024 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'first' FROM generate_series(1, 2000) i");
        if (isInLoad) await stream.Instance.PollOnePageAsync();
        else await stream.DrainAsync();
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync(
            "ALTER DOMAIN number ADD CONSTRAINT large CHECK (VALUE > 5000) NOT VALID; INSERT INTO items VALUES (5001, 'next')");
        if (!isInLoad) await server.RestartAsync();
        stream.Database.ForgetSessions();
        await stream.RestartAsync();

        await LakeShouldComeToTheTableAsync(stream);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task a_column_that_is_dropped_and_added_again_is_captured_again(bool isPolledBetween)
    {
        await using var stream = await LoadedAsync(50);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items DROP COLUMN name");
        for (var id = 51; id <= 52 && isPolledBetween; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            await stream.PollAndStoreAsync();
        }
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN name text");
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>Its type is changed without a rewrite: nothing is written.</summary>
    [Fact]
    public async Task a_column_that_was_left_out_for_its_type_is_captured_once_its_type_is_carried()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, name xml, updated_at timestamptz NOT NULL DEFAULT now()); "
            + "CREATE INDEX ON items (updated_at, id)",
            configure: o => o with { Postgres = o.Postgres with { OtherTypes = "skip" } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, '<a/>', now() - interval '1 day' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ALTER name TYPE text");
        await LakeShouldComeToTheTableAsync(stream);
        Assert.Contains(stream.Log.Warnings, w => w.Contains("a column is carried that was not", StringComparison.Ordinal));
    }

    /// <summary>On a server of its own: where nothing is committed, either.</summary>
    [Theory, InlineData("columns", true), InlineData("exclude_columns", true), InlineData("exclude_columns", false)]
    public async Task a_column_that_was_left_out_is_captured_once_it_is_not(string setting, bool isWritten)
    {
        await using var server = isWritten ? null : await PostgresServer.StartOwnAsync();
        await using var stream = await LoadedAsync(50, o => o with
        {
            Postgres = setting == "columns" ? o.Postgres with { Columns = ["id", "updated_at"] }
                : o.Postgres with { ExcludeColumns = ["name"] },
        }, server);
        await stream.PollAndStoreAsync();
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { Columns = [], ExcludeColumns = [] } });
        if (isWritten) await stream.ExecuteAsync("INSERT INTO items VALUES (51, 'later', clock_timestamp())");
        await LakeShouldComeToTheTableAsync(stream);
    }

    /// <summary>What was written by the old column's time, and is old by the other's.</summary>
    [Theory, InlineData("capture"), InlineData("leave")]
    public async Task a_row_that_was_updated_before_another_column_came_to_order_the_rows_is_captured(string changedValues)
    {
        await using var stream = await OrderedAsync(o => o with { ChangedValues = changedValues });
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 10");
        await stream.ExecuteAsync("ALTER TABLE items DROP COLUMN updated_at");
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        Assert.Equal("10", stream.Lake.Rows($"SELECT count(DISTINCT id) FROM {stream.Lake.Source} WHERE name = 'changed'")[0][0]);
        if (changedValues == "capture")
            Assert.Contains(stream.Log.Warnings, w => w.Contains("another column orders the rows", StringComparison.Ordinal));
    }

    /// <summary>Its bound is a time of the column that is gone: behind it are rows that were never read.</summary>
    [Fact]
    public async Task rows_of_a_window_that_another_column_comes_to_order_meanwhile_are_captured()
    {
        await using var stream = await OrderedAsync(o => o with { ChangedValues = "leave", PageBytes = 16 * 1024 });
        await stream.ExecuteAsync("UPDATE items SET name = repeat('changed', 100), updated_at = clock_timestamp()");
        await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync("ALTER TABLE items DROP COLUMN updated_at");
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        Assert.Equal("50", stream.Lake.Rows($"SELECT count(DISTINCT id) FROM {stream.Lake.Source} WHERE name LIKE 'changed%'")[0][0]);
    }

    /// <summary>By the old column's time they never were in a window.</summary>
    [Fact]
    public async Task rows_that_the_ordering_column_did_not_tell_of_are_captured_once_another_one_is_named()
    {
        await using var stream = await OrderedAsync(o => o with { TimestampColumn = "created_at" });
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 10");
        await stream.DrainAsync();
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { TimestampColumn = null } });
        await LakeShouldComeToTheTableAsync(stream);
    }

    private async Task<TestStream> OrderedAsync(Func<Configuration.PostgresOptions, Configuration.PostgresOptions> configure)
    {
        var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, name text, created_at timestamptz NOT NULL, updated_at timestamptz)",
            configure: o => o with { Postgres = configure(o.Postgres) });
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT i, 'first', now() - interval '1 day', now() - interval '1 day' FROM generate_series(1, 50) i");
        await stream.DrainAsync();
        return stream;
    }

    [Fact]
    public async Task values_that_are_to_be_left_are_left_with_a_warning()
    {
        await using var stream = await LoadedAsync(50, o => o with { Postgres = o.Postgres with { ChangedValues = "leave" } });
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN other int NOT NULL DEFAULT 7; INSERT INTO items (id) VALUES (51)");
        await stream.PollAndStoreAsync();
        Assert.Equal(51, stream.Lake.Count());
        Assert.Contains(stream.Log.Warnings, w => w.Contains("read otherwise than in the lake", StringComparison.Ordinal));
    }

    private async Task<TestStream> GuardedAsync(int rows)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.Items + Guard);
        await stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, 'first' FROM generate_series(1, {rows}) i");
        await stream.PollAndStoreAsync();
        return stream;
    }

    private async Task<TestStream> LoadedAsync(
        int rows, Func<Configuration.PipelineOptions, Configuration.PipelineOptions>? configure = null, PostgresServer? server = null)
    {
        var stream = await TestStream.CreateAsync(server ?? postgres, kafka, configure: configure);
        await stream.ExecuteAsync(
            $"INSERT INTO items SELECT i, 'first', now() - interval '1 day' FROM generate_series(1, {rows}) i");
        return stream;
    }

    /// <summary>Some versions may have been sent again without need; none is missing, and the newest are the table's.</summary>
    private static async Task LakeShouldComeToTheTableAsync(TestStream stream)
    {
        await stream.DrainAsync();
        await stream.StoreEverythingAsync();
        await stream.NewestShouldEqualTableAsync();
    }
}
