using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Every value comes out of DuckDB as Postgres prints it.</summary>
public sealed class TypesTests(PostgresServer postgres, KafkaServer kafka)
{
    private sealed record TypeCase(string Type, params string[] Values);

    // Literals of SQL; NULL and, for arrays, the empty one, one of a single NULL and one of everything are added.
    private static readonly TypeCase[] Cases =
    [
        new("smallint", "-32768", "0", "32767"),
        new("integer", "-2147483648", "0", "2147483647"),
        new("bigint", "-9223372036854775808", "9007199254740993", "9223372036854775807"),
        new("numeric(10,2)", "0", "-0.01", "99999999.99", "-99999999.99", "12.5"),
        new("numeric(9,9)", "0.000000001", "-0.999999999"),
        new("numeric(18,0)", "999999999999999999", "-1"),
        new("numeric(38,10)", "9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "0.0000000001"),
        new("numeric(50,20)", "999999999999999999999999999999.99999999999999999999", "-1", "'NaN'"),
        new("numeric(5,-2)", "12300", "-9999900"),
        new("numeric(3,5)", "0.00123", "-0.00999"),
        new("numeric", "0", "0.10", "1e50", "-1e-50", "123456789012345678901234567890.123456789", "'NaN'", "'Infinity'", "'-Infinity'"),
        new("real", "0", "'-0'", "0.1", "1e-45", "3.4028235e38", "'NaN'", "'Infinity'", "'-Infinity'"),
        new("double precision", "0", "'-0'", "0.1", "5e-324", "1.7976931348623157e308", "1e21", "'NaN'", "'Infinity'", "'-Infinity'"),
        new("boolean", "true", "false"),
        new(
            "text", "''", "'plain'", """'"quoted" \ back''slash'""",
            "E'line\\nfeed\\ttab\\x01'", "'Größe 食 😀 ﷽'", "'null'", "repeat('long ', 5000)"),
        new("varchar(20)", "''", "'Ärger'"),
        new("char(5)", "'ab'", "'     '", "'abcde'"),
        new("name", "'a_name'"),
        new("mood", "'happy'", "'so so'", "'\"odd\"'"),
        new(
            "date", "'2026-02-28'", "'0001-01-01'", "'0044-03-15 BC'", "'4714-11-24 BC'", "'10000-01-01'", "'5874897-12-31'", "'infinity'",
            "'-infinity'"),
        new("time", "'00:00'", "'23:59:59.999999'", "'24:00'", "'12:00:00.5'"),
        new(
            "timestamp", "'2026-02-28 12:00:00.123456'", "'1969-12-31 23:59:59.999999'", "'0044-03-15 01:02:03 BC'",
            "'4714-11-24 00:00:00 BC'", "'294246-12-31 23:59:59.999999'", "'infinity'", "'-infinity'"),
        new(
            "timestamptz", "'2026-02-28 12:00:00.123456+05:30'", "'1969-12-31 23:59:59.999999Z'", "'0044-03-15 01:02:03Z BC'",
            "'294246-12-31 23:59:59.999999Z'", "'infinity'", "'-infinity'"),
        new("uuid", "'0B9CDD0C-3E5F-4A1E-8F52-6C1E2F9F2A10'", "'00000000-0000-0000-0000-000000000000'"),
        new("bytea", "''", "'\\x00'", "'\\xdeadbeef'", "decode(repeat('00ff', 3000), 'hex')"),
        new("json", """'{"a" :  1.50, "a": null}'""", "'null'", "'[]'", "'\"text\"'"),
        new("jsonb", """'{"a" :  1.50, "b": [1, null, "Ü"]}'""", "'null'", "'1e3'"),
        new("positive", "1", "2147483647"),
    ];

    private const string Ddl =
        """
        CREATE TYPE mood AS ENUM ('happy', 'so so', '"odd"');
        CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
        """;

    /// <summary>A table with a column of each type, and rows with its extremes.</summary>
    internal static async Task<TestStream> EveryTypeAsync(PostgresServer postgres, KafkaServer kafka)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka, Ddl + Table(Cases.Select(c => c.Type)));
        await InsertAsync(stream, c => c.Values);
        return stream;
    }

    [Fact]
    public async Task every_type_comes_out_of_the_lake_as_Postgres_prints_it()
    {
        await using var stream = await EveryTypeAsync(postgres, kafka);

        var poll = await stream.PollAsync();
        var stored = await stream.StoreAsync();

        Assert.Equal((poll.Rows, 0), (stored.Rows, stored.Quarantined));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task every_array_comes_out_of_the_lake_as_Postgres_prints_it()
    {
        // Arrays of domains are a type of their own.
        var cases = Cases.Where(c => c.Type != "positive").ToArray();
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Ddl + Table(cases.Select(c => c.Type + "[]")));
        await InsertAsync(stream, c =>
        [
            $"ARRAY[]::{c.Type}[]", $"ARRAY[NULL]::{c.Type}[]", $"ARRAY[{string.Join(',', c.Values)}]::{c.Type}[]",
            $"ARRAY[NULL, {c.Values[^1]}, NULL]::{c.Type}[]",
        ], cases);

        var poll = await stream.PollAsync();
        var stored = await stream.StoreAsync();

        Assert.Equal((poll.Rows, 0), (stored.Rows, stored.Quarantined));
        await stream.LakeShouldEqualTableAsync();
    }

    public static TheoryData<string> Refused =>
        ["interval", "time with time zone", "money", "inet", "point", "int4range", "tsvector", "xml", "bit(3)", "interval[]"];

    [Theory, MemberData(nameof(Refused))]
    public async Task a_type_that_is_not_carried_is_refused_by_name(string type)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Table([type]));

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains($"c0 ({type})", stop.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> NotInParquet => new()
    {
        { "numeric(10,2)", "'NaN'" },
        { "timestamptz", "'294276-12-31 23:59:59Z'" },
    };

    [Theory, MemberData(nameof(NotInParquet))]
    public async Task a_value_that_Parquet_cannot_hold_goes_to_quarantine(string type, string value)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Table([type]));
        await stream.ExecuteAsync($"INSERT INTO items (id, c0) VALUES (1, {value}), (2, NULL)");
        await stream.PollAsync();

        var stored = await stream.StoreAsync();

        Assert.Equal((1, 1), (stored.Rows, stored.Quarantined));
        Assert.Contains("c0", Assert.Single(stream.Lake.QuarantineLines), StringComparison.Ordinal);
    }

    [Theory, InlineData("ARRAY[[1,2],[3,4]]"), InlineData("'[0:1]={1,2}'")]
    public async Task an_array_that_JSON_cannot_hold_stops_capture(string value)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Table(["integer[]"]));
        await stream.ExecuteAsync($"INSERT INTO items (id, c0) VALUES (1, {value})");

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains("c0", stop.Message, StringComparison.Ordinal);

        // The server ends a session a moment after it was closed; one that is opened anew has nothing new to say.
        await stream.UntilNobodyPollsAsync();
        await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Single(stream.Log.Lines, l => l.Id == 2001);
    }

    private static string Table(IEnumerable<string> types) =>
        "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now(), "
        + $"{string.Join(", ", types.Select((t, i) => $"c{i} {t}"))})";

    // Row n holds each type's n-th value, one type after the other being NULL beyond its last.
    private static async Task InsertAsync(TestStream stream, Func<TypeCase, string[]> valuesOf, TypeCase[]? cases = null)
    {
        var columns = (cases ?? Cases).Select(valuesOf).ToArray();
        for (var row = 0; row <= columns.Max(c => c.Length); row++)
            await stream.ExecuteAsync(
                $"INSERT INTO items VALUES ({row}, DEFAULT, {string.Join(", ", columns.Select(c => row < c.Length ? c[row] : "NULL"))})");
    }
}
