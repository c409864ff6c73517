using System.Globalization;
using System.Text;
using System.Text.Json;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;
using static OrdersStream.UnitTests.ParquetFormat.LakeRows;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>
/// Whatever bytes a message holds, it is a row or goes to quarantine with a cause, never fails otherwise, and is never passed over. Another
/// JSON reader is the oracle: what is taken for a row is JSON to it, of just these members, with these values.
/// </summary>
public sealed class MessageFuzzTests
{
    private const string Target = "message";

    private static readonly TableSchema Schema = Schema(
        Column("id", ColumnKind.BigInt, nullable: false), Column("small", ColumnKind.SmallInt), Column("int", ColumnKind.Integer),
        Column("amount", ColumnKind.Numeric, precision: 12, scale: 3),
        Column("any", ColumnKind.Numeric), Column("wide", ColumnKind.Numeric, precision: 38, scale: 10), Column("real", ColumnKind.Real),
        Column("double", ColumnKind.Double), Column("yes", ColumnKind.Boolean),
        Column("odd \"näme\"\n", ColumnKind.Text), Column("day", ColumnKind.Date), Column("time", ColumnKind.Time),
        Column("at", ColumnKind.Timestamp), Column("updated_at", ColumnKind.TimestampTz),
        Column("uuid", ColumnKind.Uuid), Column("bytes", ColumnKind.Bytea), Column("json", ColumnKind.Json),
        Column("texts", ColumnKind.Text, isArray: true), Column("numbers", ColumnKind.Numeric, precision: 6, scale: 2, isArray: true));

    private readonly MessageDecoder decoder = new(Schema);
    private readonly DecodedRow row = new(Schema), again = new(Schema);
    private readonly MessageWriter text = new(Schema);

    public static TheoryData<string> Corpus => [.. Fuzzer.Corpus(Target).Select(f => Path.GetFileName(f))];

    [Theory, MemberData(nameof(Corpus))]
    public void each_kept_message_is_a_row_or_has_a_cause(string name) =>
        Check(File.ReadAllBytes(Fuzzer.Corpus(Target).Single(f => Path.GetFileName(f) == name)));

    [Fact]
    public Task a_message_is_a_row_or_has_a_cause() =>
        new Fuzzer(Target, Check) { Words = [.. Schema.Columns.Select(c => JsonSerializer.Serialize(c.Name) + ":")] }.RunAsync();

    /// <summary>A JSON text has many spellings: order, whitespace, escapes. All of a row's are that row.</summary>
    [Fact]
    public Task every_spelling_of_a_row_is_that_row() => new Fuzzer(Target, input =>
    {
        if (Decode(input) is { } cause) return cause;
        var first = Written(row);
        var random = new Random(input.Length);
        using var document = JsonDocument.Parse(input);
        var members = document.RootElement.EnumerateObject().ToArray();
        random.Shuffle(members);
        var other = Spell(members, random);
        Assert.Null(Decode(other));
        Assert.Equal(first, Written(row));
        return first;
    }).RunAsync();

    /// <summary>Many at once, through the storing half: each offset is in the lake once.</summary>
    [Fact]
    public async Task no_record_is_passed_over()
    {
        var seeds = Fuzzer.Corpus(Target).Select(File.ReadAllBytes).Append(Encoding.UTF8.GetBytes(TestTopic.Row(1))).ToList();
        var seed = Random.Shared.Next();
        var mutator = new Mutator(new Random(seed), [TestTopic.Row(2), "\"order_id\":"], 4096);
        for (var begun = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(begun) < Fuzzer.Budget;)
        {
            using var lake = new TestLake();
            lake.Topic.Page(0, 2);
            var records = Enumerable.Range(2, 200)
                .Select(i => new StreamRecord(0, i + 1, i % 7 == 0 ? null : [(byte)i], i % 11 == 0 ? null : mutator.Change(seeds), i,
                i % 5 == 0 ? [new StreamHeader(i % 10 == 0 ? StreamHeader.Op : "trace", mutator.Change(seeds))] : null)).ToList();
            var result = await lake.StoreAsync([.. lake.Topic.All, .. records]);
            Assert.True(result.Rows + result.Quarantined == 202, $"seed {seed}: {result}");
            Assert.Equal(lake.Topic.All.Concat(records).Select(r => (r.Partition, r.Offset)).Order(), await lake.StoredAsync());
            Assert.All(lake.Quarantined(), line => Assert.NotEmpty(line.GetProperty("reason").GetString()!));
        }
    }

    private string Check(byte[] input)
    {
        if (Decode(input) is { } cause) return cause;
        AnotherReaderAgrees(input);
        var first = Written(row);
        decoder.Decode(Encoding.UTF8.GetBytes(first), again);
        Assert.Equal(first, Written(again));
        return string.Join(' ', row.Cells.Select(c => c.IsNull ? "null" : "value"));
    }

    private string? Decode(byte[] input)
    {
        try
        {
            decoder.Decode(input, row);
            return null;
        }
        catch (UndecodableException e)
        {
            Assert.NotEmpty(e.Message);
            return e.Message;
        }
    }

    private string Written(DecodedRow decoded)
    {
        var buffer = new ByteBuffer();
        text.Write(decoded, buffer);
        return Encoding.UTF8.GetString(buffer.Written);
    }

    private void AnotherReaderAgrees(byte[] input)
    {
        using var theirs = JsonDocument.Parse(input);
        using var ours = JsonDocument.Parse(Written(row));
        Assert.Equal(Schema.Columns.Select(c => c.Name).Order(StringComparer.Ordinal),
            theirs.RootElement.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
        foreach (var column in Schema.Columns)
            Same(column.Type.Kind, theirs.RootElement.GetProperty(column.Name), ours.RootElement.GetProperty(column.Name));
    }

    private static void Same(ColumnKind kind, JsonElement theirs, JsonElement ours)
    {
        Assert.Equal(theirs.ValueKind, ours.ValueKind);
        if (theirs.ValueKind == JsonValueKind.Array)
        {
            Assert.Equal(theirs.GetArrayLength(), ours.GetArrayLength());
            foreach (var (t, o) in theirs.EnumerateArray().Zip(ours.EnumerateArray())) Same(kind, t, o);
        }
        else if (theirs.ValueKind == JsonValueKind.Number)
        {
            if (kind is ColumnKind.Real) Assert.Equal(theirs.GetSingle(), ours.GetSingle());
            else if (kind is ColumnKind.Double) Assert.Equal(theirs.GetDouble(), ours.GetDouble());
            else Assert.Equal(Digits(theirs.GetRawText()), Digits(ours.GetRawText()));
        }
        // The others have several spellings of one value.
        else if (kind is ColumnKind.Text or ColumnKind.Json or ColumnKind.Jsonb) Assert.Equal(theirs.GetString(), ours.GetString());
    }

    /// <summary>A number as sign, digits and the power of ten behind them: one text for one number.</summary>
    private static string Digits(string number)
    {
        var e = number.IndexOfAny(['e', 'E']);
        var mantissa = (e < 0 ? number : number[..e]).TrimStart('-');
        var exponent = e < 0
            ? 0
            : System.Numerics.BigInteger.Parse(number[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var point = mantissa.IndexOf('.');
        if (point >= 0) (exponent, mantissa) = (exponent - (mantissa.Length - point - 1), mantissa.Remove(point, 1));
        mantissa = mantissa.TrimStart('0');
        var digits = mantissa.TrimEnd('0');
        return digits.Length == 0 ? "0" : $"{(number[0] == '-' ? "-" : "")}{digits}e{exponent + (mantissa.Length - digits.Length)}";
    }

    private static byte[] Spell(JsonProperty[] members, Random random)
    {
        var spelled = new StringBuilder(Space()).Append('{');
        for (var i = 0; i < members.Length; i++)
            spelled.Append(i > 0 ? "," : "").Append(Space()).Append(Quote(members[i].Name)).Append(Space())
                .Append(':').Append(Space()).Append(Value(members[i].Value)).Append(Space());
        return Encoding.UTF8.GetBytes(spelled.Append('}').Append(Space()).ToString());

        string Space() => new(Enumerable.Range(0, random.Next(3)).Select(_ => " \t\r\n"[random.Next(4)]).ToArray());

        string Value(JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => Quote(value.GetString()!),
            JsonValueKind.Array => $"[{Space()}{string.Join($"{Space()},{Space()}", value.EnumerateArray().Select(Value))}{Space()}]",
            _ => value.GetRawText(),
        };

        string Quote(string value) => $"\"{string.Concat(value.Select(Character))}\"";

        string Character(char c) =>
            c is '"' or '\\' or < ' ' || random.Next(3) == 0 ? $"\\u{(int)c:x4}"
            : char.IsSurrogate(c) ? $"\\u{(int)c:X4}"
            : c.ToString();
    }
}
