using OrdersStream.Capture;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// Deletes, by tombstones that triggers write: whatever becomes of a key, in whichever windows, the newest version of it in the lake says
/// what is in the table.
/// </summary>
public sealed class DeleteTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Insert = "INSERT INTO items (id, name) ";

    [Fact]
    public async Task a_deleted_row_and_a_key_that_is_another_by_now_are_not_met_in_the_lake()
    {
        await using var stream = await TenItemsAsync();

        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 3; UPDATE items SET id = 40, updated_at = clock_timestamp() WHERE id = 4");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(
            ["1", "2", "3", "4"],
            stream.Lake.Rows($"SELECT id FROM {stream.Lake.Source} WHERE _op = 'delete' AND name IS NULL AND updated_at IS NULL ORDER BY 1")
                .Select(r => r[0]));
        Assert.Equal(15, stream.Lake.Count());
        Assert.Equal(4, stream.Dump().Records.Count(r => r.Value is null));
    }

    /// <summary>What is there again, in the same window or a later one, wins; and what is gone again does not.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task the_last_that_became_of_a_key_counts(bool eachInItsWindow)
    {
        await using var stream = await TenItemsAsync();
        string[] steps =
        [
            "DELETE FROM items WHERE id <= 5",
            Insert + "VALUES (1, 'again'), (2, 'again')",
            "DELETE FROM items WHERE id = 2",
            "UPDATE items SET id = 60, updated_at = clock_timestamp() WHERE id = 6",
            "UPDATE items SET id = 6, updated_at = clock_timestamp() WHERE id = 60",
            Insert + "VALUES (100, 'never captured')",
            "DELETE FROM items WHERE id = 100",
            "UPDATE items SET id = 70, updated_at = clock_timestamp() WHERE id = 7",
            Insert + "VALUES (7, 'another')",
            "BEGIN; DELETE FROM items WHERE id = 8; " + Insert + "VALUES (8, 'at once'); COMMIT",
            "BEGIN; DELETE FROM items WHERE id = 9; " + Insert + "VALUES (9, 'for a moment'); DELETE FROM items WHERE id = 9; COMMIT",
        ];

        foreach (var step in steps)
        {
            await stream.ExecuteAsync(step);
            if (!eachInItsWindow) continue;
            await stream.PollAndStoreAsync();
            await stream.NewestShouldEqualTableAsync();
        }
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Empty(stream.Lake.QuarantineLines);
    }

    /// <summary>With times of long ago, too: the keys that do not come back are gone.</summary>
    [Fact]
    public async Task a_truncated_table_is_empty_in_the_lake_but_for_what_is_loaded_again()
    {
        await using var stream = await TenItemsAsync();

        await stream.ExecuteAsync(
            "BEGIN; TRUNCATE items; "
            + "INSERT INTO items SELECT i, 'reloaded', now() - interval '1 year' FROM generate_series(1, 4) i; COMMIT");
        await stream.PollAndStoreAsync();
        await stream.NewestShouldEqualTableAsync();

        await stream.ExecuteAsync("TRUNCATE items");
        await stream.PollAndStoreAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_delete_that_commits_late_comes_with_the_window_that_sees_it()
    {
        await using var stream = await TenItemsAsync();
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; DELETE FROM items WHERE id = 1; SAVEPOINT a; DELETE FROM items WHERE id = 2; RELEASE a; "
            + "SAVEPOINT b; DELETE FROM items WHERE id = 3; ROLLBACK TO b");
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 4");
        await stream.PollAndStoreAsync();
        await stream.NewestShouldEqualTableAsync();

        await late.ExecuteAsync("COMMIT");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(["1", "2", "4"], DeletedKeys(stream));
    }

    /// <summary>Each is published once, though the window before could remember one transaction only behind the open one.</summary>
    [Fact]
    public async Task deletes_that_are_held_back_come_when_the_transaction_before_them_has_ended()
    {
        // Of one's own: any transaction of another test would hold them back once more.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TenItemsAsync(
            o => o with { Postgres = o.Postgres with { SeenTransactions = 1 } }, on: server);
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; UPDATE items SET name = 'open', updated_at = clock_timestamp() WHERE id = 10");
        foreach (var id in (int[])[1, 2, 3]) await stream.ExecuteAsync($"DELETE FROM items WHERE id = {id}");
        await stream.ExecuteAsync(Insert + "VALUES (1, 'again')");
        await stream.PollAndStoreAsync();

        await open.ExecuteAsync("COMMIT");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(["2", "3"], DeletedKeys(stream));
    }

    [Fact]
    public async Task a_prepared_delete_comes_when_it_is_committed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_prepared_transactions", "2"));
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 4) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("BEGIN; DELETE FROM items WHERE id = 1; PREPARE TRANSACTION 'one'");
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 2");
        await stream.PollAndStoreAsync();
        Assert.Equal(["2"], DeletedKeys(stream));

        await stream.ExecuteAsync("COMMIT PREPARED 'one'");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(["1", "2"], DeletedKeys(stream));
    }

    /// <summary>Triggers for each row are the partitions', too.</summary>
    [Fact]
    public async Task rows_of_partitions_are_deleted_and_move_between_them()
    {
        const string partitions =
            "ALTER TABLE items RENAME TO plain; CREATE TABLE items (LIKE plain INCLUDING ALL) PARTITION BY RANGE (id); "
            + "CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (6); "
            + "CREATE TABLE items_high PARTITION OF items FOR VALUES FROM (6) TO (100); DROP TABLE plain; "
            + "CREATE TRIGGER deletes AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION items_deletes(); "
            + "CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) "
            + "EXECUTE FUNCTION items_deletes();";
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes + partitions);
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();

        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1; DELETE FROM items_high WHERE id = 7; "
            + "UPDATE items SET id = id + 50, updated_at = clock_timestamp() WHERE id IN (2, 8)");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("on TRUNCATE, so such deletes are not captured", StringComparison.Ordinal));
    }

    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_process_that_dies_between_pages_of_deletes_goes_on_behind_them(string delivery)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes, configure: o => o with
        {
            Postgres = o.Postgres with { PageBytes = 1024 }, Kafka = o.Kafka with { Delivery = delivery },
        });
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 2000) i");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id > 3; UPDATE items SET name = 'new', updated_at = clock_timestamp()");

        var pages = 0;
        stream.OnReached = point =>
        {
            if (point == CrashPoint.PageCommitted && ++pages == 3) throw new IOException("crash");
        };
        await Assert.ThrowsAsync<IOException>(stream.DrainAsync);
        stream.OnReached = null;
        await stream.RestartAsync();
        await stream.ExecuteAsync(Insert + "SELECT i, 'again' FROM generate_series(10, 2000, 10) i");
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.True(pages >= 3, $"{pages} pages");
        Assert.Empty(stream.Lake.QuarantineLines);
    }

    /// <summary>However long ago it was written down: capture may have been down, and the brokers may lose what was just sent.</summary>
    [Fact]
    public async Task tombstones_are_removed_a_day_after_they_were_published()
    {
        var time = new ShiftedTime();
        await using var stream = await TenItemsAsync(time: time);
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 2");
        time.Shift(TimeSpan.FromDays(3));
        await stream.PollAsync();
        await stream.RestartAsync();
        await stream.PollAsync();
        Assert.Equal(2, await CountAsync());

        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 4");
        await stream.PollAsync();
        time.Shift(TimeSpan.FromHours(25));
        await stream.PollAsync();
        Assert.Equal([["3"], ["4"]], await stream.Database.TextRowsAsync("SELECT id::text FROM items_deletes ORDER BY items_deletes.id"));
        time.Shift(TimeSpan.FromHours(25));
        await stream.PollAsync();

        Assert.Equal(0, await CountAsync());
        await stream.DrainAsync();
        await stream.StoreAsync();
        Assert.Equal(["1", "2", "3", "4"], DeletedKeys(stream).Distinct());

        async Task<int> CountAsync() => (await stream.Database.TextRowsAsync("SELECT id::text FROM items_deletes")).Count;
    }

    /// <summary>They cost room, and nothing of capture rests on it.</summary>
    [Theory]
    [InlineData("BEGIN; CREATE INDEX ON items_deletes (deleted_at)", "ROLLBACK", "55P03")]
    [InlineData("CREATE PUBLICATION everything FOR ALL TABLES; ALTER TABLE items_deletes DROP CONSTRAINT items_deletes_pkey",
        "ALTER TABLE items_deletes ADD PRIMARY KEY (delete_id)", "55000 cannot delete from table \"items_deletes\"")]
    public async Task tombstones_that_cannot_be_removed_stay_and_a_warning_says_why(string hinder, string mend, string reason)
    {
        var time = new ShiftedTime();
        await using var stream = await TenItemsAsync(time: time);
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 2");
        for (var day = 1; day <= 2; day++)
        {
            await stream.DrainAsync();
            time.Shift(TimeSpan.FromHours(25));
        }
        await using var session = await stream.Database.OpenSessionAsync();
        await session.ExecuteAsync(hinder);
        for (var id = 11; id <= 12; id++)
        {
            await stream.ExecuteAsync($"{Insert} VALUES ({id}, 'n')");
            var poll = stream.PollAsync();
            await stream.UntilAsync(() => poll.IsCompleted, null, () => "the poll waits");
            Assert.Equal(1, (await poll).Rows);
        }
        var warning = Assert.Single(stream.Log.Warnings, w => w.Contains("cannot be removed from", StringComparison.Ordinal));
        Assert.Contains($"\"items_deletes\" now ({reason}", warning, StringComparison.Ordinal);

        await session.ExecuteAsync(mend);
        time.Shift(TimeSpan.FromHours(1));
        await stream.PollAsync();
        Assert.Empty(await stream.Database.TextRowsAsync("SELECT id::text FROM items_deletes"));
        await stream.StoreAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>By the database's clock: another stream may have published, waited, and removed them.</summary>
    [Theory, InlineData(22, false), InlineData(30, true)]
    public async Task a_stream_that_was_away_for_a_day_says_that_tombstones_may_be_gone(int hours, bool isTold)
    {
        await using var stream = await TenItemsAsync();
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        var file = new WatermarkFile(stream.Options);
        var horizon = file.Read()!.Horizon!;
        file.Write(
            file.Read()! with { Horizon = horizon with { TakenAt = horizon.TakenAt - TimeSpan.FromHours(hours) } }, CrashPoints.None);

        await stream.RestartAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1");
        await stream.PollAsync();

        Assert.Equal(isTold, stream.Log.Warnings.Any(w => w.Contains("30 h ago: if another stream", StringComparison.Ordinal)));
    }

    /// <summary>Where no table of tombstones fits, or no trigger writes into it, deletes are not captured, and that is said.</summary>
    [Theory]
    [InlineData("DROP TABLE items_deletes CASCADE", null)]
    [InlineData("ALTER TABLE items_deletes ALTER id TYPE int", "does not fit the table's key (id), so deletes are not captured")]
    [InlineData("ALTER TABLE items DISABLE TRIGGER deletes", "on DELETE, so such deletes are not captured")]
    public async Task deletes_that_nobody_writes_down_are_not_captured(string change, string? warning)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync(change);
        await stream.ExecuteAsync("ALTER TABLE items DISABLE TRIGGER deletes; " + Insert + "VALUES (1, 'n'), (2, 'n')");
        await stream.PollAndStoreAsync();

        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1; UPDATE items SET name = 'm', updated_at = clock_timestamp()");
        await stream.PollAndStoreAsync();

        Assert.Empty(DeletedKeys(stream));
        Assert.Equal(3, stream.Lake.Count());
        if (warning is not null) Assert.Contains(stream.Log.Warnings, w => w.Contains(warning, StringComparison.Ordinal));
    }

    [Fact]
    public async Task deletes_that_are_off_are_not_captured()
    {
        await using var stream = await TenItemsAsync(o => o with { Postgres = o.Postgres with { Deletes = "off" } });
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1");
        await stream.PollAndStoreAsync();
        Assert.Empty(DeletedKeys(stream));
    }

    /// <summary>
    /// What was written down while nobody read it is behind the horizon by its ids, and by its time: it is read all the same.
    /// </summary>
    [Theory]
    [InlineData("off", "SELECT", "SELECT")]
    [InlineData("trigger", "REVOKE SELECT ON items_deletes FROM " + PostgresServer.PipelineRole,
        "GRANT SELECT ON items_deletes TO " + PostgresServer.PipelineRole)]
    [InlineData("trigger", "ALTER TABLE items_deletes ALTER id DROP NOT NULL", "ALTER TABLE items_deletes ALTER id SET NOT NULL")]
    public async Task deletes_that_were_not_read_are_read_once_they_can_be(string before, string hide, string show)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            TestStream.ItemsAndDeletes + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole}; "
            + $"GRANT SELECT, DELETE ON items_deletes TO {PostgresServer.PipelineRole};",
            configure: o => o with
            {
                Postgres = o.Postgres with { User = PostgresServer.PipelineRole, Password = PostgresServer.RolePassword, Deletes = before },
            });
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1");
        await stream.ExecuteAsync(hide);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(Insert + "VALUES (11, 'another window')");
        await stream.PollAndStoreAsync();
        Assert.Empty(DeletedKeys(stream));

        await stream.ExecuteAsync(show);
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { Deletes = "trigger" } });
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(["1"], DeletedKeys(stream));
        await stream.ExecuteAsync(Insert + "VALUES (12, 'the next window')");
        await stream.PollAndStoreAsync();
        Assert.Single(stream.Dump().Records, r => r.Value is null);
    }

    /// <summary>Its numbers begin anew, and a position in the old one means nothing.</summary>
    [Fact]
    public async Task a_table_of_deletes_that_is_made_anew_within_a_window_is_read_from_its_beginning()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.ItemsAndDeletes, configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024 } });
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 500) i");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 400");
        stream.OnReached = point =>
        {
            if (point == CrashPoint.PageCommitted) throw new IOException("crash");
        };
        await Assert.ThrowsAsync<IOException>(stream.DrainAsync);
        stream.OnReached = null;

        await stream.ExecuteAsync(
            "CREATE TABLE anew (LIKE items_deletes INCLUDING ALL); "
            + "INSERT INTO anew (id, deleted_at) SELECT id, deleted_at FROM items_deletes ORDER BY id DESC; "
            + "DROP TABLE items_deletes; ALTER TABLE anew RENAME TO items_deletes");
        await stream.RestartAsync();
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>A statement's snapshot may be older than the lock that it waits for, and a rewritten table is empty to it.</summary>
    [Fact]
    public async Task a_table_of_deletes_that_is_rewritten_while_a_window_is_read_loses_none()
    {
        await using var stream = await TenItemsAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 1");
        await using var other = await stream.Database.OpenSessionAsync();
        stream.OnReached = point =>
        {
            if (point != CrashPoint.WindowTaken) return;
            stream.OnReached = null;
            other.ExecuteAsync("BEGIN; ALTER TABLE items_deletes ADD COLUMN n double precision DEFAULT random()")
                .GetAwaiter().GetResult();
        };
        var poll = stream.PollAsync();
        await stream.Database.UntilAsync(
            "capture waits for the table of deletes",
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'items_deletes'::regclass)");
        await other.ExecuteAsync("COMMIT");
        await poll;
        await stream.DrainAsync();
        await stream.StoreAsync();

        Assert.Equal(["1"], DeletedKeys(stream));
    }

    /// <summary>Each kind of value that a key is made of comes back from the record's key as it was in the rows.</summary>
    [Theory]
    [InlineData("text", "'a'", "'quote\" back\\ slash'", "'é花'", "''")]
    [InlineData("numeric", "1.50", "-0.000001", "'NaN'", "12345678901234567890123456789")]
    [InlineData("numeric(10,2)", "1.50", "-0.01", "0", "99999999.99")]
    [InlineData("uuid", "'0f8fad5b-d9cb-469f-a165-70867728950e'", "'7c9e6679-7425-40de-944b-e07fc1f90ae7'")]
    [InlineData("timestamptz", "'2026-01-01 00:00:00.000001Z'", "'infinity'", "'0044-03-15 12:00:00Z BC'")]
    [InlineData("date", "'2026-02-28'", "'-infinity'")]
    [InlineData("double precision", "0.1", "'-Infinity'", "'NaN'", "1e300")]
    [InlineData("bytea", "'\\x00ff'", "''")]
    [InlineData("boolean", "true", "false")]
    [InlineData("jsonb", "'{\"a\": [1, \"x\"]}'", "'null'", "'\"text\"'")]
    public async Task a_key_of_any_type_is_deleted(string type, params string[] keys)
    {
        foreach (var isOne in (bool[])[true, false])
        {
            var key = isOne ? "k" : "n, k";
            await using var stream = await TestStream.CreateAsync(postgres, kafka,
                $"""
                CREATE TABLE things (
                    k {type}, n int NOT NULL, name text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY ({key}));
                CREATE TABLE things_deletes (delete_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k {type} NOT NULL, n int NOT NULL,
                    deleted_at timestamptz NOT NULL);
                CREATE FUNCTION things_deletes() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO public.things_deletes (k, n, deleted_at) VALUES (OLD.k, OLD.n, clock_timestamp());
                    RETURN NULL;
                END $$;
                CREATE TRIGGER deletes AFTER DELETE ON things FOR EACH ROW EXECUTE FUNCTION things_deletes();
                """, "things");
            await stream.ExecuteAsync(
                "INSERT INTO things VALUES " + string.Join(", ", keys.Select((k, i) => $"({k}, {i}, 'x')")));
            await stream.PollAndStoreAsync();

            await stream.ExecuteAsync("DELETE FROM things");
            await stream.PollAndStoreAsync();

            Assert.Empty(stream.Lake.QuarantineLines);
            Assert.Equal(
                Enumerable.Repeat("2", keys.Length),
                stream.Lake.Rows($"SELECT count(*) FROM {stream.Lake.Source} GROUP BY k").Select(r => r[0]));
            Assert.Equal(keys.Length, stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE _op = 'delete'").Count);
        }
    }

    /// <summary>db/orders.sql as it stands, whose writers have no rights on the table of deletes, by the pipeline's own role.</summary>
    [Fact]
    public async Task the_tables_of_the_script_and_its_role_are_enough()
    {
        await using var orders = await TestPipeline.CreateAsync(postgres, kafka);
        await orders.OnceAsync();
        await orders.Database.ExecuteAsync(
            "CREATE ROLE writer_of_orders; GRANT SELECT, UPDATE, DELETE, TRUNCATE ON t_orders TO writer_of_orders");
        try
        {
            await orders.Database.ExecuteAsync(
                "SET ROLE writer_of_orders; DELETE FROM t_orders WHERE order_id = 1; "
                + "UPDATE t_orders SET order_id = 200 WHERE order_id = 2; RESET ROLE");
            await orders.OnceAsync();
            var lake = new TestKit.Oracles.LakeReader(orders.Options.Datalake.Path);
            Assert.Equal(["1", "2"], lake.Rows($"SELECT order_id FROM {lake.Source} WHERE _op = 'delete' ORDER BY 1").Select(r => r[0]));

            await orders.Database.ExecuteAsync("SET ROLE writer_of_orders; TRUNCATE t_orders; RESET ROLE");
            await orders.OnceAsync();
            await new TestKit.Oracles.Oracle(orders.Database, "t_orders", ["order_id"], lake).LakeShouldEqualTableAsync();
            Assert.Empty(orders.Warnings);
        }
        finally
        {
            await orders.Database.ExecuteAsync("DROP OWNED BY writer_of_orders; DROP ROLE writer_of_orders");
        }
    }

    /// <summary>Its snapshot is older than its lock: a key that was committed in between, and captured, would be in no tombstone.</summary>
    [Theory, InlineData("REPEATABLE READ"), InlineData("SERIALIZABLE")]
    public async Task a_table_is_truncated_only_by_a_transaction_that_sees_all_its_keys(string level)
    {
        await using var orders = await TestPipeline.CreateAsync(postgres, kafka);
        await orders.OnceAsync();
        await using var archive = await orders.Database.OpenSessionAsync();
        await archive.ExecuteAsync($"BEGIN ISOLATION LEVEL {level}; CREATE TABLE archive AS SELECT * FROM t_orders");
        await orders.Database.ExecuteAsync(
            "INSERT INTO t_orders (order_id, customer_name, restaurant_name, item, amount) VALUES (900, 'c', 'r', 'i', 1)");
        await orders.OnceAsync();

        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => archive.ExecuteAsync("TRUNCATE t_orders"));
        Assert.Equal($"TRUNCATE of t_orders in a transaction of level {level.ToLowerInvariant()} is refused", refused.MessageText);
        Assert.Contains("READ COMMITTED", refused.Hint, StringComparison.Ordinal);
        await archive.ExecuteAsync("ROLLBACK; TRUNCATE t_orders");
        await orders.OnceAsync();

        var lake = new TestKit.Oracles.LakeReader(orders.Options.Datalake.Path);
        await new TestKit.Oracles.Oracle(orders.Database, "t_orders", ["order_id"], lake).LakeShouldEqualTableAsync();
    }

    /// <summary>To the lake they are two keys.</summary>
    [Theory]
    [InlineData("numeric", "1", "1.00")]
    [InlineData("jsonb", "'{\"a\": 1}'", "'{\"a\": 1.0}'")]
    [InlineData("text COLLATE any_case", "'bob'", "'BOB'")]
    public async Task a_key_that_becomes_one_that_is_equal_and_reads_otherwise_is_told_as_a_delete(string type, string before, string after)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, KeysThatReadOtherwise(type));
        await stream.ExecuteAsync($"INSERT INTO items (k) VALUES ({before})");
        await stream.PollAndStoreAsync();

        await stream.ExecuteAsync($"UPDATE items SET k = {after}, updated_at = clock_timestamp()");
        await stream.PollAndStoreAsync();

        await stream.LakeShouldEqualTableAsync("k");
        Assert.Single(stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE _op = 'delete'"));
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("_deletes", StringComparison.Ordinal));
    }

    /// <summary>A table whose key is of this type, with tombstones by the triggers of db/orders.sql.</summary>
    internal static string KeysThatReadOtherwise(string type) =>
        $"""
        CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE items (k {type} PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON items (updated_at, k);
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN NEW.updated_at := pg_catalog.clock_timestamp(); RETURN NEW; END';
        CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();
        CREATE TABLE items_deletes (
            delete_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k {type} NOT NULL, deleted_at timestamptz NOT NULL);
        CREATE FUNCTION items_deletes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.items_deletes (k, deleted_at) VALUES (OLD.k, clock_timestamp());
            RETURN NULL;
        END
        $$;
        CREATE FUNCTION items_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO public.items_deletes (k, deleted_at) SELECT k, clock_timestamp() FROM public.items;
            RETURN NULL;
        END
        $$;
        CREATE TRIGGER deletes AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION items_deletes();
        CREATE TRIGGER keys AFTER UPDATE ON items FOR EACH ROW
            WHEN (OLD.k IS DISTINCT FROM NEW.k OR OLD.k::text COLLATE "C" IS DISTINCT FROM NEW.k::text COLLATE "C")
            EXECUTE FUNCTION items_deletes();
        CREATE TRIGGER truncates BEFORE TRUNCATE ON items FOR EACH STATEMENT EXECUTE FUNCTION items_truncated();
        ALTER TABLE items ENABLE ALWAYS TRIGGER guard, ENABLE ALWAYS TRIGGER deletes, ENABLE ALWAYS TRIGGER keys,
            ENABLE ALWAYS TRIGGER truncates;
        """;

    private async Task<TestStream> TenItemsAsync(
        Func<Configuration.PipelineOptions, Configuration.PipelineOptions>? configure = null, TimeProvider? time = null,
        PostgresServer? on = null)
    {
        var stream = await TestStream.CreateAsync(
            on ?? postgres, kafka, TestStream.ItemsAndDeletes, configure: configure, time: time);
        await stream.ExecuteAsync(Insert + "SELECT i, 'n' FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();
        return stream;
    }

    private static IEnumerable<string?> DeletedKeys(TestStream stream) =>
        stream.Lake.Rows($"SELECT id FROM {stream.Lake.Source} WHERE _op = 'delete' ORDER BY 1").Select(r => r[0]);
}
