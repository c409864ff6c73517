using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Any table with a key and a timestamp column can be the source.</summary>
public sealed class SourceTableTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task a_key_may_have_several_columns()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (region text, number int, kind char(3), name text, updated_at timestamptz NOT NULL DEFAULT now(), "
            + "PRIMARY KEY (number, region, kind)); CREATE INDEX ON items (updated_at, number, region, kind)",
            configure: SmallPages);
        await InWindowsAsync(stream,
            "INSERT INTO items SELECT 'r' || i % 7, i / 7, 'k' || i % 2, 'name', now() FROM generate_series(1, 150) i",
            "UPDATE items SET name = 'changed', updated_at = now() WHERE number % 3 = 0");

        await stream.LakeShouldEqualTableAsync("region", "number", "kind");
    }

    /// <summary>They are no part of it: a row whose other column changes is the same row.</summary>
    [Fact]
    public async Task a_key_may_carry_other_columns_along()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint, name text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), "
            + "PRIMARY KEY (id) INCLUDE (name)); CREATE INDEX ON items (updated_at, id); "
            + "INSERT INTO items (id, name) SELECT i, 'a' FROM generate_series(1, 20) i");
        await stream.DrainAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'b', updated_at = clock_timestamp()");
        await stream.DrainAsync();
        Assert.Equal(20, stream.Dump().Records.Select(r => Convert.ToHexString(r.Key!)).Distinct().Count());
    }

    [Fact]
    public async Task an_ordering_column_that_is_left_out_is_told_as_such()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.Items, configure: o => o with
        {
            Postgres = o.Postgres with { TimestampColumn = "updated_at", ExcludeColumns = ["updated_at"] },
        });
        var refused = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(
            "Column updated_at of \"public\".\"items\", which postgres.timestamp_column names, is not carried.", refused.Problem);
    }

    [Fact]
    public async Task a_text_key_may_hold_any_character()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (key text PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()); "
            + "CREATE INDEX ON items (updated_at, key)",
            configure: SmallPages);
        await InWindowsAsync(stream,
            """
            INSERT INTO items SELECT k || i FROM generate_series(1, 9) i,
            unnest(ARRAY[
                '', ' ', '''', '"', '\', '\\', E'\n', E'\t', '$1', '%s', '{}', 'Ü', 'ß', '食', '😀', '--', '/*', ';', 'NULL', '(1,2)']) k
            """,
            "UPDATE items SET updated_at = now()");

        await stream.LakeShouldEqualTableAsync("key");
    }

    [Fact]
    public async Task a_key_may_be_compared_by_the_rules_of_a_language()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            """
            CREATE TABLE items (key text COLLATE "und-x-icu" PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON items (updated_at, key)
            """,
            configure: SmallPages);
        await InWindowsAsync(stream,
            "INSERT INTO items SELECT k || i FROM generate_series(1, 40) i, unnest(ARRAY['a', 'A', 'ä', 'Z', 'z', '-', '_']) k",
            "UPDATE items SET updated_at = now()");

        await stream.LakeShouldEqualTableAsync("key");
    }

    public static TheoryData<string, string> KeyTypes => new()
    {
        { "uuid", "md5(i::text)::uuid" },
        { "numeric(20,5)", "i * 1.00001" },
        { "numeric", "1.0 / i" },
        { "timestamptz", "'2026-01-01Z'::timestamptz + i * interval '1 microsecond'" },
        { "date", "'2026-01-01'::date + i" },
        { "double precision", "1.0::float8 / i" },
        { "bytea", "decode(md5(i::text), 'hex')" },
        { "smallint", "i" },
    };

    [Theory, MemberData(nameof(KeyTypes))]
    public async Task a_key_may_be_of_any_type_that_has_an_order(string type, string value)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            $"CREATE TABLE items (key {type} PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now()); "
            + "CREATE INDEX ON items (updated_at, key)", configure: SmallPages);
        await InWindowsAsync(stream,
            $"INSERT INTO items SELECT {value} FROM generate_series(1, 100) i",
            "UPDATE items SET updated_at = now()");

        await stream.LakeShouldEqualTableAsync("key");
    }

    /// <summary>By the order in which they are read two rows would have the same place, and one of them be passed over.</summary>
    [Theory]
    [InlineData(
        "CREATE TABLE items (key text COLLATE lenient NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()); "
        + "CREATE UNIQUE INDEX ON items (key COLLATE \"C\")", "No unique index covers exactly the columns key")]
    [InlineData(
        "CREATE TABLE items (key text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()) PARTITION BY LIST (key); "
        + "CREATE TABLE a PARTITION OF items FOR VALUES IN ('a'); ALTER TABLE ONLY items ADD PRIMARY KEY (key)",
        "has no primary key that is valid")]
    public async Task a_key_that_is_not_unique_as_it_is_read_is_refused(string ddl, string problem)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, $"CREATE COLLATION lenient (provider = icu, locale = 'und-u-ks-level2', deterministic = false); {ddl}",
            configure: o => ddl.Contains("PRIMARY", StringComparison.Ordinal) ? o : KeyedByKey(o));

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains(problem, stop.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("key text COLLATE lenient NOT NULL", "key")]
    [InlineData("key text NOT NULL", "key COLLATE \"C\"")]
    public async Task a_key_that_is_unique_as_it_is_read_is_taken(string column, string unique)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE COLLATION lenient (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
            + $"CREATE TABLE items ({column}, updated_at timestamptz NOT NULL DEFAULT now()); CREATE UNIQUE INDEX ON items ({unique})",
            configure: KeyedByKey);
        await stream.ExecuteAsync("INSERT INTO items SELECT 'k' || i FROM generate_series(1, 9) i");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync("key");
    }

    /// <summary>As after an upgrade of the operating system without REINDEX.</summary>
    [Fact]
    public async Task a_key_whose_collation_is_of_another_version_is_told_until_its_remedy_was_followed()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            """
            CREATE TABLE items (key text COLLATE "und-x-icu" PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON items (updated_at, key);
            INSERT INTO items VALUES ('a')
            """);
        await stream.PollAsync();
        Assert.DoesNotContain(stream.Log.Warnings, IsOfCollation);
        var actual = await stream.Database.ScalarAsync<string>("SELECT collversion FROM pg_collation WHERE collname = 'und-x-icu'");
        await stream.ExecuteAsync("UPDATE pg_collation SET collversion = '0' WHERE collname = 'und-x-icu'");
        // Seen by a poller that runs.
        await stream.PollAsync();
        var warning = Assert.Single(stream.Log.Warnings, IsOfCollation);
        Assert.Contains($"was of version 0 and is of version {actual} now", warning, StringComparison.Ordinal);

        await stream.ExecuteAsync(warning.Split('\n')[0].Split("built before; ")[1]);
        await stream.RestartAsync();
        await stream.PollAsync();
        Assert.Single(stream.Log.Warnings, IsOfCollation);
    }

    [Theory, InlineData("text", true), InlineData("bigint", false)]
    public async Task a_key_whose_collation_is_the_databases_is_told_of_its_version(string type, bool isTold)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            $"CREATE TABLE items (key {type} PRIMARY KEY, other text, updated_at timestamptz NOT NULL DEFAULT now()); "
            + "CREATE INDEX ON items (updated_at, key)");
        if (await stream.Database.ScalarAsync<int>("SELECT current_setting('server_version_num')::int") < 150_000)
            Assert.Skip("the server writes down no version of a database's collation");
        await stream.ExecuteAsync("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()");
        await stream.PollAsync();
        Assert.Equal(
            isTold,
            stream.Log.Warnings.Any(w => IsOfCollation(w) && w.Contains(" REFRESH COLLATION VERSION", StringComparison.Ordinal)));
    }

    private static bool IsOfCollation(string warning) => warning.Contains("is sorted by a collation", StringComparison.Ordinal);

    private static Configuration.PipelineOptions KeyedByKey(Configuration.PipelineOptions options) =>
        options with { Postgres = options.Postgres with { KeyColumns = ["key"] } };

    [Fact]
    public async Task names_may_be_odd()
    {
        const string table = "Größe \"of\" 'the' table; --";
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            """"
            CREATE SCHEMA "Odd ""schema""";
            CREATE TABLE "Odd ""schema"""."Größe ""of"" 'the' table; --" (
                "The Key" bigint PRIMARY KEY, "select" text, "two words" int, "UPPER" int, "quote""d" text, "ünï" text, "dot.ted" text,
                "When It Changed" timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON "Odd ""schema"""."Größe ""of"" 'the' table; --" ("When It Changed", "The Key");
            """", table,
            o => SmallPages(o) with
            {
                Postgres = SmallPages(o).Postgres with { Schema = "Odd \"schema\"", TimestampColumn = "When It Changed" },
            });
        await InWindowsAsync(stream,
            $"INSERT INTO {stream.QualifiedTable} SELECT i, 'a', i, i, 'b', 'c', 'd' FROM generate_series(1, 50) i",
            $"UPDATE {stream.QualifiedTable} SET \"UPPER\" = 0, \"When It Changed\" = now() WHERE \"The Key\" % 2 = 0");

        await stream.LakeShouldEqualTableAsync("The Key");
    }

    [Fact]
    public async Task a_table_without_an_index_works_and_the_warning_names_the_index()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now())", configure: SmallPages);
        await InWindowsAsync(
            stream, "INSERT INTO items SELECT generate_series(1, 50)", "UPDATE items SET updated_at = now() WHERE id < 10");

        var statement = Assert.Single(stream.Log.Warnings, w => w.Contains("CREATE INDEX", StringComparison.Ordinal))
            .Split("CREATE INDEX")[1];
        await stream.ExecuteAsync("CREATE INDEX" + statement.Split('\n')[0]);
        await stream.LakeShouldEqualTableAsync();
        await stream.RestartAsync();
        await stream.PollAsync();
        Assert.Single(stream.Log.Warnings, w => w.Contains("CREATE INDEX", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_table_with_created_at_only_is_captured_with_a_warning_that_updates_are_not()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now())", configure: SmallPages);
        await InWindowsAsync(stream, "INSERT INTO items SELECT generate_series(1, 50)", "INSERT INTO items SELECT generate_series(51, 60)");

        Assert.Contains(stream.Log.Warnings, w => w.Contains("updates are not", StringComparison.Ordinal));
        Assert.Contains(
            stream.Log.Warnings, w => w.Contains("unless created_at lies further back than the slack", StringComparison.Ordinal));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_timestamp_may_be_null()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, name text, updated_at timestamptz); CREATE INDEX ON items (updated_at, id)",
            configure: SmallPages);
        await InWindowsAsync(stream,
            "INSERT INTO items SELECT i, 'a', CASE WHEN i % 2 = 0 THEN now() END FROM generate_series(1, 60) i",
            "UPDATE items SET name = 'b' WHERE updated_at IS NULL AND id < 10",
            "INSERT INTO items SELECT i, 'c', NULL FROM generate_series(61, 120) i",
            "UPDATE items SET updated_at = now() WHERE id IN (1, 2, 3)",
            "UPDATE items SET name = 'd', updated_at = NULL WHERE id IN (4, 5, 6)");

        await stream.LakeShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("NULL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_timestamp_without_a_zone_works()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamp NOT NULL DEFAULT now()); "
            + "CREATE INDEX ON items (updated_at, id)",
            configure: o => SmallPages(o) with { Postgres = SmallPages(o).Postgres with { SlackSeconds = null } });
        await InWindowsAsync(stream,
            "SET TimeZone = 'America/Los_Angeles'; INSERT INTO items SELECT generate_series(1, 50)",
            "SET TimeZone = 'Asia/Tokyo'; UPDATE items SET updated_at = now() WHERE id < 10");

        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_partitioned_table_is_one_table()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            """
            CREATE TABLE items (
                id bigint, name text, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id)) PARTITION BY RANGE (id);
            CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (50);
            CREATE TABLE items_high PARTITION OF items FOR VALUES FROM (50) TO (1000);
            CREATE INDEX ON items (updated_at, id);
            """, configure: SmallPages);
        await InWindowsAsync(
            stream, "INSERT INTO items SELECT i, 'a' FROM generate_series(1, 99) i",
            "UPDATE items SET name = 'b', updated_at = now() WHERE id % 5 = 0");

        await stream.LakeShouldEqualTableAsync();
    }

    public static TheoryData<string, string> Unusable => new()
    {
        { "CREATE TABLE items (id bigint, updated_at timestamptz)", "key" },
        { "CREATE TABLE items (id bigint PRIMARY KEY, at timestamptz)", "updated_at" },
        { "CREATE TABLE items (id bigint PRIMARY KEY, updated_at text)", "updated_at" },
        { "CREATE TABLE base (id bigint PRIMARY KEY, updated_at timestamptz); CREATE VIEW items AS SELECT * FROM base", "view" },
        {
            "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz); CREATE FOREIGN DATA WRAPPER nothing; "
                + "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far () INHERITS (items) SERVER elsewhere",
            "public.far"
        },
        { "CREATE TABLE other (id bigint)", "no table items" },
        { "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz, _offset bigint)", "_offset" },
    };

    [Theory, MemberData(nameof(Unusable))]
    public async Task a_table_that_cannot_be_a_source_stops_with_the_reason(string ddl, string named)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, ddl);

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains(named, stop.Message, StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(stop.Remedy);
    }

    [Fact]
    public async Task the_lake_may_be_laid_out_by_the_date_of_created_at()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL DEFAULT now())",
            configure: o => o with { Datalake = o.Datalake with { PartitionBy = "order_date" } });
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT i, '2026-02-27 23:59:59Z'::timestamptz + i % 3 * interval '1 day' FROM generate_series(1, 30) i");
        await stream.PollAndStoreAsync();

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(["by_order_date=2026-02-27", "by_order_date=2026-02-28", "by_order_date=2026-03-01"],
            stream.Lake.Files.Select(f => Path.GetFileName(Path.GetDirectoryName(f)!)).Distinct().Order());
    }

    private static Configuration.PipelineOptions SmallPages(Configuration.PipelineOptions options) =>
        options with { Postgres = options.Postgres with { PageBytes = 1024 } };

    /// <summary>Each history a window of its own, and all of them stored.</summary>
    private static async Task InWindowsAsync(TestStream stream, params string[] histories)
    {
        foreach (var history in histories)
        {
            await stream.ExecuteAsync(history);
            await stream.PollAndStoreAsync();
        }
    }
}
