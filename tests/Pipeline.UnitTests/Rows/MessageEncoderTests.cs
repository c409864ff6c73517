using System.Text;
using OrdersStream.Diagnostics;
using OrdersStream.Memory;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Rows.CopyTupleWriter;

namespace OrdersStream.UnitTests.Rows;

public sealed class MessageEncoderTests
{
    private const long Day = 86_400_000_000;

    public static TheoryData<ColumnKind, byte[], string> Forms => new()
    {
        { ColumnKind.SmallInt, Int16(short.MinValue), "-32768" },
        { ColumnKind.Integer, Int32(int.MinValue), "-2147483648" },
        { ColumnKind.Integer, Int32(0), "0" },
        { ColumnKind.BigInt, Int64(long.MinValue), "-9223372036854775808" },
        { ColumnKind.BigInt, Int64(long.MaxValue), "9223372036854775807" },
        { ColumnKind.Real, Real(0.1f), "0.1" },
        { ColumnKind.Real, Real(float.MaxValue), "3.4028235E+38" },
        { ColumnKind.Real, Real(float.NaN), "\"NaN\"" },
        { ColumnKind.Real, Real(float.PositiveInfinity), "\"Infinity\"" },
        { ColumnKind.Double, Double(0.1), "0.1" },
        { ColumnKind.Double, Double(-0.0), "-0" },
        { ColumnKind.Double, Double(double.Epsilon), "5E-324" },
        { ColumnKind.Double, Double(double.MaxValue), "1.7976931348623157E+308" },
        { ColumnKind.Double, Double(double.NegativeInfinity), "\"-Infinity\"" },
        { ColumnKind.Boolean, Bool(true), "true" },
        { ColumnKind.Boolean, Bool(false), "false" },
        { ColumnKind.Text, Text(""), "\"\"" },
        { ColumnKind.Text, Text("Käse 🧀 \u007f\u2028</a>"), "\"Käse 🧀 \u007f\u2028</a>\"" },
        { ColumnKind.Text, Text("a\"b\\c/d\b\f\n\r\t\u0001\u001f"), "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\"" },
        { ColumnKind.Json, Text("{\"a\" : 1.0}"), "\"{\\\"a\\\" : 1.0}\"" },
        { ColumnKind.Jsonb, Jsonb("{\"a\": 1.0}"), "\"{\\\"a\\\": 1.0}\"" },
        { ColumnKind.Date, Int32(0), "\"2000-01-01\"" },
        { ColumnKind.Date, Int32(-10957), "\"1970-01-01\"" },
        { ColumnKind.Date, Int32(59), "\"2000-02-29\"" },
        { ColumnKind.Date, Int32(2921939), "\"9999-12-31\"" },
        { ColumnKind.Date, Int32(2921940), "\"+10000-01-01\"" },
        { ColumnKind.Date, Int32(2145031948), "\"+5874897-12-31\"" },
        { ColumnKind.Date, Int32(-730119), "\"0001-01-01\"" },
        { ColumnKind.Date, Int32(-730120), "\"0000-12-31\"" },
        { ColumnKind.Date, Int32(-746117), "\"-0043-03-15\"" },
        { ColumnKind.Date, Int32(-2451545), "\"-4713-11-24\"" },
        { ColumnKind.Date, Int32(int.MaxValue), "\"infinity\"" },
        { ColumnKind.Date, Int32(int.MinValue), "\"-infinity\"" },
        { ColumnKind.Time, Int64(0), "\"00:00:00.000000\"" },
        { ColumnKind.Time, Int64(Day - 1), "\"23:59:59.999999\"" },
        { ColumnKind.Time, Int64(Day), "\"24:00:00.000000\"" },
        { ColumnKind.Timestamp, Int64(0), "\"2000-01-01T00:00:00.000000\"" },
        { ColumnKind.Timestamp, Int64(-1), "\"1999-12-31T23:59:59.999999\"" },
        { ColumnKind.TimestampTz, Int64(825_600_600_123_456), "\"2026-02-28T13:30:00.123456Z\"" },
        { ColumnKind.TimestampTz, Int64(9223371331199999999), "\"+294276-12-31T23:59:59.999999Z\"" },
        { ColumnKind.TimestampTz, Int64(-211813488000000000), "\"-4713-11-24T00:00:00.000000Z\"" },
        { ColumnKind.TimestampTz, Int64(long.MaxValue), "\"infinity\"" },
        { ColumnKind.Timestamp, Int64(long.MinValue), "\"-infinity\"" },
        { ColumnKind.Uuid, Convert.FromHexString("0B9CDD0C3E5F4A1E8F526C1E2F9F2AFF"), "\"0b9cdd0c-3e5f-4a1e-8f52-6c1e2f9f2aff\"" },
        { ColumnKind.Bytea, [], "\"\"" },
        { ColumnKind.Bytea, [0xDE, 0xAD, 0xBE, 0xEF], "\"3q2+7w==\"" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void every_type_has_its_exact_json_form(ColumnKind kind, byte[] field, string json) =>
        Assert.Equal(json, ValueOf(TypeOf(kind), field));

    [Theory]
    [InlineData("0")]
    [InlineData("0.00")]
    [InlineData("12.50")]
    [InlineData("-0.05")]
    [InlineData("10000")]
    [InlineData("100000000.0001")]
    [InlineData("99999999.99")]
    [InlineData("0.00000000000000000001")]
    [InlineData("123456789012345678901234567890123456789012345678901234567890.1234567890123456789000")]
    public void a_numeric_keeps_the_digits_that_postgres_prints(string text) =>
        Assert.Equal(text, ValueOf(TypeOf(ColumnKind.Numeric), Numeric(text)));

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    public void a_numeric_that_is_no_number_is_a_string(string text) =>
        Assert.Equal($"\"{text}\"", ValueOf(TypeOf(ColumnKind.Numeric), Numeric(text)));

    [Fact]
    public void the_longest_numeric_is_carried()
    {
        var text = new string('9', 131_072) + "." + new string('7', 16_383);
        Assert.Equal(text, ValueOf(TypeOf(ColumnKind.Numeric), Numeric(text)));
    }

    [Fact]
    public void null_is_null() => Assert.Equal("null", ValueOf(TypeOf(ColumnKind.Text), null));

    [Fact]
    public void an_array_is_a_json_array_with_nulls()
    {
        Assert.Equal("[]", ValueOf(TypeOf(ColumnKind.Integer, isArray: true), Array()));
        Assert.Equal("[1,null,-3]", ValueOf(TypeOf(ColumnKind.Integer, isArray: true), Array(Int32(1), null, Int32(-3))));
        Assert.Equal("[\"a\\\"\",\"NULL\",null]", ValueOf(TypeOf(ColumnKind.Text, isArray: true), Array(Text("a\""), Text("NULL"), null)));
    }

    [Fact]
    public void a_column_may_have_any_name()
    {
        var schema = new TableSchema([new Column("Größe \"x\"\\\n", TypeOf(ColumnKind.TimestampTz), false)], [0], 0);
        Assert.Equal("{\"Größe \\\"x\\\"\\\\\\n\":\"2000-01-01T00:00:00.000000Z\"}", Encode(schema, Tuple(Int64(0))).Value);
    }

    public static TheoryData<ColumnKind, byte[], string> Keys => new()
    {
        { ColumnKind.BigInt, Int64(-7), "-7" },
        { ColumnKind.Numeric, Numeric("12.50"), "12.50" },
        { ColumnKind.Numeric, Numeric("NaN"), "NaN" },
        { ColumnKind.Text, Text("a\"b\\\n"), "a\"b\\\n" },
        { ColumnKind.Text, Text(""), "" },
        { ColumnKind.Jsonb, Jsonb("{\"a\": 1}"), "{\"a\": 1}" },
        { ColumnKind.Uuid, new byte[16], "00000000-0000-0000-0000-000000000000" },
        { ColumnKind.Date, Int32(0), "2000-01-01" },
        { ColumnKind.TimestampTz, Int64(0), "2000-01-01T00:00:00.000000Z" },
        { ColumnKind.Bytea, [0xDE, 0xAD], "3q0=" },
        { ColumnKind.Boolean, Bool(true), "true" },
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void a_key_of_one_column_is_its_text(ColumnKind kind, byte[] field, string text) =>
        Assert.Equal(text, Encode(KeyedBy(TypeOf(kind)), Tuple(field, Int64(0))).Key);

    [Fact]
    public void a_key_of_several_columns_is_a_json_array_in_key_order()
    {
        var schema = new TableSchema(
            [new Column("b", TypeOf(ColumnKind.Text), false), new Column("at", TypeOf(ColumnKind.TimestampTz), false),
                new Column("a", TypeOf(ColumnKind.Integer), false)],
            [2, 0], 1);
        var (key, value) = Encode(schema, Tuple(Text("x\"y"), Int64(0), Int32(1)));
        Assert.Equal("[1,\"x\\\"y\"]", key);
        Assert.Equal("{\"b\":\"x\\\"y\",\"at\":\"2000-01-01T00:00:00.000000Z\",\"a\":1}", value);
    }

    [Fact]
    public void an_incomplete_tuple_appends_nothing()
    {
        var schema = KeyedBy(TypeOf(ColumnKind.Text));
        var tuple = Tuple(Text("abc"), Int64(0));
        var encoder = new MessageEncoder(schema);
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        for (var length = 0; length < tuple.Length; length++)
            Assert.Equal(0, encoder.Encode(tuple.AsSpan(0, length), key, value));
        Assert.Equal((0, 0), (key.Length, value.Length));
        Assert.Equal(tuple.Length, encoder.Encode([.. tuple, 1, 2, 3], key, value));
    }

    public static TheoryData<ColumnKind, bool, byte[], string> BadFields => new()
    {
        { ColumnKind.SmallInt, false, new byte[4], "column \"c\" (SmallInt): COPY sent 4 bytes instead of 2." },
        { ColumnKind.Integer, false, new byte[8], "column \"c\" (Integer): COPY sent 8 bytes instead of 4." },
        { ColumnKind.BigInt, false, new byte[4], "column \"c\" (BigInt): COPY sent 4 bytes instead of 8." },
        { ColumnKind.Real, false, new byte[8], "column \"c\" (Real): COPY sent 8 bytes instead of 4." },
        { ColumnKind.Double, false, new byte[4], "column \"c\" (Double): COPY sent 4 bytes instead of 8." },
        { ColumnKind.Boolean, false, [], "column \"c\" (Boolean): COPY sent 0 bytes instead of 1." },
        { ColumnKind.Date, false, new byte[8], "column \"c\" (Date): COPY sent 8 bytes instead of 4." },
        { ColumnKind.Time, false, Int64(-1), "column \"c\" (Time): COPY sent a time outside the day." },
        { ColumnKind.Timestamp, false, new byte[4], "column \"c\" (Timestamp): COPY sent 4 bytes instead of 8." },
        { ColumnKind.TimestampTz, false, new byte[12], "column \"c\" (TimestampTz): COPY sent 12 bytes instead of 8." },
        { ColumnKind.Uuid, false, new byte[15], "column \"c\" (Uuid): COPY sent 15 bytes instead of 16." },
        { ColumnKind.Numeric, false, new byte[7], "column \"c\" (Numeric): COPY sent 7 bytes that are no numeric." },
        { ColumnKind.Numeric, false, [.. Int16(1), .. Int16(0), .. Int16(0), .. Int16(0), .. Int16(10_000)],
            "column \"c\" (Numeric): COPY sent 10 bytes that are no numeric." },
        { ColumnKind.Numeric, false, [.. Int16(0), .. Int16(0), .. Int16(1), .. Int16(0)],
            "column \"c\" (Numeric): COPY sent 8 bytes that are no numeric." },
        { ColumnKind.Jsonb, false, Text("{}"), "column \"c\" (Jsonb): COPY sent jsonb in a binary version other than 1." },
        { ColumnKind.Text, false, [0xFF], "column \"c\" (Text): COPY sent text that is not UTF-8." },
        { ColumnKind.Text, true, Array(Text("a"), [0xFF]), "column \"c\" (Text): COPY sent text that is not UTF-8." },
        { ColumnKind.Integer, true, new byte[4], "column \"c\" (Integer): COPY sent 4 bytes that are no array." },
        { ColumnKind.Integer, true, Array(Int32(1))[..^1], "column \"c\" (Integer): COPY sent an array whose elements are cut short." },
        { ColumnKind.Integer, true, [.. Array(Int32(1)), 0],
            "column \"c\" (Integer): COPY sent an array with 1 bytes behind its last element." },
        { ColumnKind.Integer, true, [.. Int32(2), .. Int32(0), .. Int32(23), .. Int32(1), .. Int32(1), .. Int32(1), .. Int32(1)],
            "column \"c\" (Integer): an array of 2 dimensions cannot be carried." },
        { ColumnKind.Integer, true, [.. Int32(1), .. Int32(0), .. Int32(23), .. Int32(1), .. Int32(0), .. Int32(4), .. Int32(5)],
            "column \"c\" (Integer): an array that begins at index 0 cannot be carried." },
    };

    [Theory]
    [MemberData(nameof(BadFields))]
    public void what_cannot_be_carried_exactly_stops_and_names_the_column(ColumnKind kind, bool isArray, byte[] field, string problem)
    {
        var encoder = new MessageEncoder(SchemaOf(TypeOf(kind, isArray)));
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        var e = Assert.Throws<PipelineException>(() => encoder.Encode(Tuple(Int64(1), field, Int64(0)), key, value));
        Assert.Equal((FailureAction.Stop, problem), (e.Action, e.Problem));
        Assert.NotEmpty(e.Remedy);
        Assert.Equal((0, 0), (key.Length, value.Length));
    }

    [Fact]
    public void a_row_of_another_number_of_columns_stops()
    {
        var e = Assert.Throws<PipelineException>(() => Encode(KeyedBy(TypeOf(ColumnKind.Text)), Tuple(Text("a"))));
        Assert.Equal("COPY sent a row of 1 fields for a table of 2 columns.", e.Problem);
    }

    [Fact]
    public void a_null_in_the_key_stops()
    {
        var e = Assert.Throws<PipelineException>(() => Encode(KeyedBy(TypeOf(ColumnKind.Text)), Tuple(null, Int64(0))));
        Assert.Equal("column \"k0\" is part of the key and holds NULL in a row.", e.Problem);
    }

    [Fact]
    public void rows_cost_no_allocation()
    {
        var schema = KeyedBy(TypeOf(ColumnKind.BigInt), TypeOf(ColumnKind.Numeric), TypeOf(ColumnKind.Text));
        var tuple = Tuple(Int64(1), Numeric("12.50"), Text("a\"b"), Int64(0));
        var encoder = new MessageEncoder(schema);
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        encoder.Encode(tuple, key, value);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++)
        {
            key.Clear();
            value.Clear();
            encoder.Encode(tuple, key, value);
        }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 999);
    }

    private static string ValueOf(ColumnType type, byte[]? field)
    {
        var (_, value) = Encode(SchemaOf(type), Tuple(Int64(1), field, Int64(0)));
        const string head = "{\"id\":1,\"c\":", tail = ",\"at\":\"2000-01-01T00:00:00.000000Z\"}";
        Assert.StartsWith(head, value);
        Assert.EndsWith(tail, value);
        return value[head.Length..^tail.Length];
    }

    private static (string Key, string Value) Encode(TableSchema schema, byte[] tuple)
    {
        var (key, value) = (new ByteBuffer(), new ByteBuffer());
        Assert.Equal(tuple.Length, new MessageEncoder(schema).Encode(tuple, key, value));
        return (Encoding.UTF8.GetString(key.Written), Encoding.UTF8.GetString(value.Written));
    }
}
