using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Which columns leave the table, and as what: what the configuration says of single ones, and what a reader then finds.</summary>
public sealed class CarriedColumnsTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string MaskKey = "a key that nobody knows";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_numeric_without_a_scale_is_told_and_the_remedy_makes_sums_right()
    {
        const string values = "INSERT INTO items (id, c0) VALUES (1, 450), (2, 1180), (3, 99.5), (4, NULL), (5, -0.0001)";
        await using var told = await CreateAsync(["numeric"], values);
        await told.PollAndStoreAsync();
        var warning = Assert.Single(told.Log.Warnings, w => w.Contains("numeric without a scale", StringComparison.Ordinal));
        Assert.Contains("c0; say a precision and a scale for it, as postgres.numeric: {c0: \"18,4\"}", warning);
        Assert.Equal([["VARCHAR"]], TypeOf(told, "c0"));

        await using var mended = await CreateAsync(["numeric"], values, p => p with { Numeric = Map("c0", "18,4") });
        await mended.PollAndStoreAsync();
        Assert.DoesNotContain(mended.Log.Warnings, w => w.Contains("numeric", StringComparison.Ordinal));
        Assert.Equal([["1729.4999", "1180.0000"]], mended.Lake.Rows($"SELECT sum(c0), max(c0) FROM {mended.Lake.Source}"));
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(mended)).Verdict);

        await using var meant = await CreateAsync(["numeric"], values, p => p with { Numeric = Map("c0", "text") });
        await meant.PollAndStoreAsync();
        Assert.DoesNotContain(meant.Log.Warnings, w => w.Contains("numeric", StringComparison.Ordinal));
        await meant.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_number_that_does_not_fit_its_scale_is_in_quarantine_and_verify_says_that_it_is_missing()
    {
        await using var stream = await CreateAsync(
            ["numeric"], "INSERT INTO items (id, c0) VALUES (1, 1.2345), (2, 1.23456), (3, 'NaN'), (4, 123456)",
            p => p with { Numeric = Map("c0", "9,4") });
        await stream.PollAsync();
        var stored = await stream.StoreAsync();
        Assert.Equal((1, 3), (stored.Rows, stored.Quarantined));
        var compared = await CompareAsync(stream);
        // Others use the server, too: by its id a row may still count as on the way.
        Assert.Equal((3, 1), (compared.Missing + compared.OnTheWay, compared.Equal));
        Assert.NotEqual(ComparisonVerdict.Equal, compared.Verdict);
    }

    [Fact]
    public async Task a_time_is_told_and_is_text_where_that_is_configured()
    {
        const string values = "INSERT INTO items VALUES (1, now(), '24:00', '{10:00,NULL}'), (2, now(), '09:30:00.5', NULL)";
        await using var told = await CreateAsync(["time", "time[]"], values);
        await told.PollAndStoreAsync();
        Assert.Contains(told.Log.Warnings, w => w.Contains("column of type time", StringComparison.Ordinal)
            && w.Contains("c0, c1; say postgres.time: text", StringComparison.Ordinal));

        await using var mended = await CreateAsync(["time", "time[]"], values, p => p with { Time = "text" });
        await mended.PollAndStoreAsync();
        Assert.DoesNotContain(mended.Log.Warnings, w => w.Contains("type time", StringComparison.Ordinal));
        Assert.Equal([["VARCHAR"]], TypeOf(mended, "c0"));
        Assert.Equal([["VARCHAR[]"]], TypeOf(mended, "c1"));
        Assert.Equal(
            [["24:00:00", "10:00:00"], ["09:30:00.5", null]],
            mended.Lake.Rows($"SELECT c0, c1[1] FROM {mended.Lake.Source} ORDER BY id"));
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(mended)).Verdict);
    }

    [Fact]
    public async Task infinity_is_told_and_is_null_where_that_is_configured()
    {
        const string values = "INSERT INTO items VALUES (1, now(), 'infinity', '-infinity'), (2, 'infinity', '2026-01-01', '2026-01-01')";
        await using var told = await CreateAsync(["date", "timestamptz NOT NULL"], values);
        await told.PollAndStoreAsync();
        Assert.Contains(told.Log.Warnings, w => w.Contains(
            "pandas cannot read infinity, which is in updated_at, c0, c1; say postgres.infinity: null", StringComparison.Ordinal));
        await told.LakeShouldEqualTableAsync();

        await using var mended = await CreateAsync(["date", "timestamptz NOT NULL"], values, p => p with { Infinity = "null" });
        await mended.PollAndStoreAsync();
        Assert.DoesNotContain(mended.Log.Warnings, w => w.Contains("infinity", StringComparison.Ordinal));
        Assert.Equal(
            [["1", null, null, "true"], ["2", "2026-01-01", "2026-01-01 00:00:00", "false"]],
            mended.Lake.Rows("SELECT id, c0::VARCHAR, strftime(c1 AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S'), "
                + $"isfinite(updated_at)::VARCHAR FROM {mended.Lake.Source} ORDER BY id"));
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(mended)).Verdict);
    }

    /// <summary>Behind the rows that are looked at, as the statistics tell; and where there is none, nothing is said.</summary>
    [Fact]
    public async Task infinity_in_a_large_table_is_told_by_the_servers_statistics()
    {
        await using var stream = await CreateAsync(
            ["date", "date"],
            "INSERT INTO items SELECT i, now(), CASE WHEN i > 20000 THEN 'infinity' ELSE '2026-01-01'::date + i END, '2026-01-01' "
            + "FROM generate_series(1, 30000) i; ANALYZE items");
        await stream.PollAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("infinity, which is in c0; say", StringComparison.Ordinal));

        await using var finite = await CreateAsync(["date"], "INSERT INTO items VALUES (1, now(), '2026-01-01'), (2, now(), NULL)");
        await finite.PollAsync();
        Assert.DoesNotContain(finite.Log.Warnings, w => w.Contains("infinity", StringComparison.Ordinal));
    }

    [Fact]
    public async Task text_that_is_no_utf8_is_told_with_what_to_do_and_the_column_can_be_left_out()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        var name = $"{stream.Database.Name}_ascii";
        await stream.ExecuteAsync($"CREATE DATABASE \"{name}\" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        await using (var session = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(stream.Database.Login.ConnectionString)
        {
            Database = name, ClientEncoding = "SQL_ASCII", Encoding = "iso-8859-1", Pooling = false,
        }.ConnectionString))
        {
            await session.OpenAsync(Token);
            await session.ExecuteAsync(TestStream.Items + "INSERT INTO items VALUES (1, E'caf\\xe9')");
        }
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { Db = name } });
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.StartsWith("A row holds text that is not UTF-8 (22021): the database's encoding is SQL_ASCII", stop.Problem);
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { ExcludeColumns = ["name"] } });
        Assert.Equal(1, (await stream.PollAsync()).Rows);
    }

    /// <summary>Of each kind: built in, composite, geometric, a range, an array, of an extension.</summary>
    private const string OtherTypes =
        "CREATE TYPE pair AS (a int, b text); CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), "
        + "name text, ip inet, span interval, words tsvector, price money, at point, ages int4range, p pair, spans interval[], "
        + "bits bit(3)); ";

    private const string OtherValues =
        "INSERT INTO items VALUES (1, now(), 'a', '10.0.0.0/8', '1 day 2 hours', 'fat cat', 12.5, '(1,2)', '[1,5)', (7, 'x y'), "
        + "ARRAY['1 day'::interval, NULL], B'101'), (2, now(), 'b', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

    private static readonly string[] Others = ["ip", "span", "words", "price", "at", "ages", "p", "spans", "bits"];

    [Fact]
    public async Task other_types_are_refused_all_by_name_with_what_to_do()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, OtherTypes);
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.All(Others, name => Assert.Contains($"{name} (", stop.Problem, StringComparison.Ordinal));
        Assert.Contains("postgres.exclude_columns", stop.Remedy);
        Assert.Contains("postgres.other_types: text", stop.Remedy);
    }

    [Fact]
    public async Task other_types_are_text_as_Postgres_prints_it_where_that_is_configured()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, OtherTypes + OtherValues, configure: With(p => p with { OtherTypes = "text" }));
        await stream.PollAndStoreAsync();
        var columns = string.Join(", ", Others.Select(o => $"\"{o}\""));
        var expected = await stream.Database.TextRowsAsync($"SELECT {columns.Replace("\",", "\"::text,")}::text FROM items ORDER BY id");
        Assert.Equal(expected, stream.Lake.Rows($"SELECT {columns} FROM {stream.Lake.Source} ORDER BY id"));
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(stream)).Verdict);
    }

    [Fact]
    public async Task other_types_are_left_out_and_told_where_that_is_configured()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, OtherTypes + OtherValues, configure: With(p => p with { OtherTypes = "skip" }));
        await stream.PollAndStoreAsync();
        Assert.Equal(["id", "updated_at", "name"], ColumnsOf(stream));
        Assert.Contains(
            stream.Log.Warnings, w => w.Contains("not carried, since postgres.other_types is skip: ip (inet), span (interval)"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task columns_that_are_left_out_are_never_read_and_what_becomes_of_them_is_no_news(bool byExclusion)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, OtherTypes + OtherValues + "; CREATE INDEX ON items (updated_at, id); ALTER TABLE items ADD note varchar(5)",
            configure: With(p =>
                byExclusion ? p with { ExcludeColumns = [.. Others, "note"] } : p with { Columns = ["id", "name", "updated_at"] }));
        Assert.Equal(2, (await stream.PollAsync()).Rows);
        foreach (var change in (string[])["SELECT 1", "ALTER TABLE items ALTER note TYPE text", "ALTER TABLE items RENAME note TO notes"])
        {
            // A name that is configured must be there: with it, a value that is not to leave would.
            if (byExclusion && change.Contains("RENAME", StringComparison.Ordinal)) continue;
            await stream.ExecuteAsync(change + "; CREATE TABLE IF NOT EXISTS other (i int); INSERT INTO other VALUES (1)");
            Assert.Equal(0, (await stream.PollAsync()).Rows);
        }
        await stream.ExecuteAsync("UPDATE items SET name = 'c', updated_at = clock_timestamp() WHERE id = 2");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        Assert.Equal(["id", "updated_at", "name"], ColumnsOf(stream));
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(stream)).Verdict);
    }

    /// <summary>As datalake/README.md says of columns that are carried otherwise than before.</summary>
    [Fact]
    public async Task a_column_that_is_carried_otherwise_comes_so_into_the_lake_by_a_recapture()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + "INSERT INTO items SELECT i, 'a' FROM generate_series(1, 9) i");
        await stream.PollAndStoreAsync();
        await stream.RestartAsync(With(p => p with { Mask = ["name"], MaskKey = MaskKey }));
        await stream.PollAndStoreAsync();
        Assert.Equal([["9"]], stream.Lake.Rows($"SELECT count(*) FROM {stream.Lake.Source} WHERE name = 'a'"));

        await stream.RestartAsync();
        var options = new RecaptureOptions(stream.Options, null, null, null, null, Once: true, LogLevel.Warning);
        Assert.Equal(0, await RepairVerbs.RecaptureAsync(options, Token));
        Assert.Equal([["9"]], stream.Lake.Rows($"SELECT count(*) FROM {stream.Lake.Source} WHERE name = '{Hash("a")}'"));
    }

    [Fact]
    public async Task masked_values_are_keyed_hashes_in_topic_and_lake()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, mail text, phone bigint, born date, ip inet, "
            + "updated_at timestamptz NOT NULL DEFAULT now()); "
            + "INSERT INTO items VALUES (1, 'q7Zmark@example.org', 987654321, '1990-02-03', '10.1.2.3'), (2, NULL, NULL, NULL, NULL), "
            + "(3, 'q7Zmark@example.org', 1, 'infinity', NULL)",
            configure: With(p => p with { Mask = ["mail", "phone", "born", "ip"], MaskKey = MaskKey }));
        await stream.PollAndStoreAsync();
        string?[][] expected =
        [
            [Hash("q7Zmark@example.org"), Hash("987654321"), Hash("1990-02-03"), Hash("10.1.2.3/32")], [null, null, null, null],
            [Hash("q7Zmark@example.org"), Hash("1"), Hash("infinity"), null],
        ];
        Assert.Equal(expected, stream.Lake.Rows($"SELECT mail, phone, born, ip FROM {stream.Lake.Source} ORDER BY id"));
        var sent = Sent(stream);
        Assert.Contains(Hash("987654321"), sent, StringComparison.Ordinal);
        foreach (var value in (string[])["q7Zmark", "987654321", "1990-02-03", "10.1.2.3", MaskKey])
            Assert.DoesNotContain(value, sent, StringComparison.Ordinal);
        Assert.DoesNotContain(MaskKey, stream.Log.ToString(), StringComparison.Ordinal);
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(stream)).Verdict);
    }

    public static TheoryData<string, string, string> Unusable => new()
    {
        { "mask", "id", "is part of the key and is not carried as it is" },
        { "exclude_columns", "id", "is part of the key and is not carried" },
        { "exclude_columns", "updated_at", "has no column updated_at or created_at" },
        { "exclude_columns", "Name", "has no column Name, which postgres.exclude_columns names. There is name: capitals" },
        { "exclude_columns", "nmae", "has no column nmae, which postgres.exclude_columns names. Did you mean name?" },
        { "columns", "nmae", "Did you mean name?" },
        { "mask", "nmae", "Did you mean name?" },
        { "numeric", "nmae", "Did you mean name?" },
        { "numeric", "name", "Column name of \"public\".\"items\", which postgres.numeric names, is of type text" },
        { "key_columns", "ID", "which postgres.key_columns names. There is id: capitals" },
        { "timestamp_column", "updatedat", "which postgres.timestamp_column names. Did you mean updated_at?" },
        { "table", "Items", "There is no table Items in schema public of database" },
        { "table", "Items", "There is items: Postgres makes small letters" },
        { "table", "public.items", "Write the schema as postgres.schema: public, and items as postgres.table." },
        { "table", "itmes", "Did you mean items?" },
        { "schema", "pubic", "There is one in schema public: set postgres.schema." },
        { "schema", "other", "There is one in schema public: set postgres.schema." },
    };

    [Theory, MemberData(nameof(Unusable))]
    public async Task names_that_are_none_are_told_with_what_may_be_meant(string setting, string value, string expected)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + "CREATE SCHEMA other", configure: With(p => setting switch
            {
                "mask" => p with { Mask = [value], MaskKey = MaskKey },
                "exclude_columns" => p with { ExcludeColumns = [value] },
                "columns" => p with { Columns = [value] },
                "numeric" => p with { Numeric = Map(value, "9,2") },
                "key_columns" => p with { KeyColumns = [value] },
                "timestamp_column" => p with { TimestampColumn = value },
                "schema" => p with { Schema = value },
                _ => p with { Table = value },
            }));
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains(expected, $"{stop.Problem} {stop.Remedy}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"Order_Date\" date, order_date date", "Order_Date (readers of the lake take it and order_date for one)")]
    [InlineData("\"_OFFSET\" bigint", "_OFFSET (the name is taken by a column of the lake)")]
    public async Task names_that_readers_take_for_one_are_refused_and_can_be_left_out(string columns, string expected)
    {
        var ddl = $"CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), {columns}); "
            + "INSERT INTO items (id) VALUES (1)";
        await using var stream = await TestStream.CreateAsync(postgres, kafka, ddl);
        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Contains(expected, stop.Problem, StringComparison.Ordinal);

        var excluded = expected[..expected.IndexOf(' ')];
        await stream.RestartAsync(With(p => p with { ExcludeColumns = [excluded] }));
        await stream.PollAndStoreAsync();
        Assert.Equal(1, stream.Lake.Count());
    }

    [Fact]
    public async Task what_changes_of_the_columns_is_told()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, TestStream.Items + "INSERT INTO items VALUES (1, 'a')");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD tip int, ALTER name TYPE varchar(9); INSERT INTO items VALUES (2, 'b')");
        await stream.PollAndStoreAsync();
        Assert.Single(stream.Log.Lines, l => l.Id == 1015
            && l.Message == "the table's columns changed: tip (integer) was added, name is character varying(9) and was text");
    }

    private Task<TestStream> CreateAsync(string[] types, string values, Func<PostgresOptions, PostgresOptions>? configure = null) =>
        TestStream.CreateAsync(
            postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), "
            + $"{string.Join(", ", types.Select((t, i) => $"c{i} {t}"))}); {values}",
            configure: With(configure ?? (p => p)));

    private static Func<PipelineOptions, PipelineOptions> With(Func<PostgresOptions, PostgresOptions> configure) =>
        o => o with { Postgres = configure(o.Postgres), Kafka = o.Kafka with { Partitions = 1 } };

    private static Dictionary<string, string> Map(string name, string value) => new() { [name] = value };

    private static string Hash(string text) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(MaskKey), Encoding.UTF8.GetBytes(text)));

    private static List<string?[]> TypeOf(TestStream stream, string column) =>
        stream.Lake.Rows($"SELECT DISTINCT typeof({column}) FROM {stream.Lake.Source}");

    private static IEnumerable<string?> ColumnsOf(TestStream stream) =>
        stream.Lake.Rows($"DESCRIBE SELECT COLUMNS('^[^_]') FROM {stream.Lake.Source}").Select(r => r[0]);

    private static async Task<ComparisonResult> CompareAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        return await run.Stream.Comparison.CompareAsync(Token);
    }

    /// <summary>All that is in the topic, headers too.</summary>
    private string Sent(TestStream stream)
    {
        using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = kafka.Brokers, GroupId = $"sent-{Guid.NewGuid():N}", EnablePartitionEof = true,
        }).Build();
        consumer.Assign(new TopicPartitionOffset(stream.Options.Kafka.Topic, 0, Offset.Beginning));
        var text = new StringBuilder();
        while (consumer.Consume(Token) is { IsPartitionEOF: false } record)
        {
            text.AppendLine(Encoding.UTF8.GetString(record.Message.Value ?? []));
            foreach (var header in record.Message.Headers) text.AppendLine(Encoding.UTF8.GetString(header.GetValueBytes() ?? []));
        }
        return text.ToString();
    }
}
