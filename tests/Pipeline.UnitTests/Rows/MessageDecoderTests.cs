using System.Text;
using OrdersStream.Memory;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Rows.CopyTupleWriter;

namespace OrdersStream.UnitTests.Rows;

public sealed class MessageDecoderTests
{
    private static readonly ColumnType Money = new(ColumnKind.Numeric, "numeric(10,2)", 10, 2);

    /// <summary>JSON that any sane producer might send, and the one form in which our encoder writes the same value.</summary>
    public static TheoryData<ColumnKind, string, string> Accepted => new()
    {
        { ColumnKind.SmallInt, "-32768", "-32768" },
        { ColumnKind.Integer, "1e3", "1000" },
        { ColumnKind.Integer, "12.30E1", "123" },
        { ColumnKind.Integer, "-0", "0" },
        { ColumnKind.BigInt, "9223372036854775807", "9223372036854775807" },
        { ColumnKind.BigInt, "-9223372036854775808", "-9223372036854775808" },
        { ColumnKind.BigInt, "0e999999999999999999999", "0" },
        { ColumnKind.Numeric, "1.50E+3", "1.50E+3" },
        { ColumnKind.Numeric, "\"-Infinity\"", "\"-Infinity\"" },
        { ColumnKind.Real, "0.1", "0.1" },
        { ColumnKind.Real, "\"NaN\"", "\"NaN\"" },
        { ColumnKind.Double, "1e2", "100" },
        { ColumnKind.Double, "-0.0", "-0" },
        { ColumnKind.Double, "123456789012345678901234567890", "1.2345678901234568E+29" },
        { ColumnKind.Double, "5E-324", "5E-324" },
        { ColumnKind.Double, "\"-Infinity\"", "\"-Infinity\"" },
        { ColumnKind.Boolean, "true", "true" },
        { ColumnKind.Text, "\"\\u00e4\\uD83E\\uDDC0\\/\\u0000\\u001F\"", "\"ä🧀/\\u0000\\u001f\"" },
        { ColumnKind.Text, "\"\"", "\"\"" },
        { ColumnKind.Text, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
        { ColumnKind.Text, "\"a\\n\\u00e4\\\"b\"", "\"a\\nä\\\"b\"" },
        { ColumnKind.Json, "\"not checked: {\"", "\"not checked: {\"" },
        { ColumnKind.Date, "\"2026\\u002d02-28\"", "\"2026-02-28\"" },
        { ColumnKind.Date, "\"0000-02-29\"", "\"0000-02-29\"" },
        { ColumnKind.Date, "\"-4713-11-24\"", "\"-4713-11-24\"" },
        { ColumnKind.Date, "\"+5874897-12-31\"", "\"+5874897-12-31\"" },
        { ColumnKind.Date, "\"infinity\"", "\"infinity\"" },
        { ColumnKind.Time, "\"24:00:00\"", "\"24:00:00.000000\"" },
        { ColumnKind.Time, "\"01:02:03.5\"", "\"01:02:03.500000\"" },
        { ColumnKind.Timestamp, "\"2026-02-28 01:02:03\"", "\"2026-02-28T01:02:03.000000\"" },
        { ColumnKind.Timestamp, "\"-infinity\"", "\"-infinity\"" },
        { ColumnKind.TimestampTz, "\"2026-02-28T01:02:03.123456789\"".Replace("789", "000Z"), "\"2026-02-28T01:02:03.123456Z\"" },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:30:00+01:00\"", "\"2025-12-31T23:30:00.000000Z\"" },
        { ColumnKind.TimestampTz, "\"2026-01-01 00:30:00-0530\"", "\"2026-01-01T06:00:00.000000Z\"" },
        { ColumnKind.TimestampTz, "\"1800-01-01T00:00:00+00:19:32\"", "\"1799-12-31T23:40:28.000000Z\"" },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:30:00+00\"", "\"2026-01-01T00:30:00.000000Z\"" },
        { ColumnKind.TimestampTz, "\"+294247-01-10T04:00:54.775806Z\"", "\"+294247-01-10T04:00:54.775806Z\"" },
        { ColumnKind.Uuid, "\"0B9CDD0C-3e5f-4a1e-8f52-6c1e2f9f2a10\"", "\"0b9cdd0c-3e5f-4a1e-8f52-6c1e2f9f2a10\"" },
        { ColumnKind.Bytea, "\"3q2\\u002b7w==\"", "\"3q2+7w==\"" },
        { ColumnKind.Bytea, "\"\"", "\"\"" },
    };

    [Theory]
    [MemberData(nameof(Accepted))]
    public void what_a_sane_producer_sends_is_read(ColumnKind kind, string json, string canonical)
    {
        Assert.Equal(canonical, Reread(TypeOf(kind), json));
        Assert.Equal($"[{canonical},null]", Reread(TypeOf(kind, isArray: true), $" [ {json} , null ] "));
    }

    [Fact]
    public void a_number_may_be_written_at_any_length()
    {
        var one = "0." + new string('0', 20_000) + "1e20001";
        Assert.Equal("1", Reread(TypeOf(ColumnKind.Double), one));
        Assert.Equal("1", Reread(TypeOf(ColumnKind.Real), one));
        Assert.Equal("1", Reread(TypeOf(ColumnKind.BigInt), one));
        Assert.Equal(one, Reread(TypeOf(ColumnKind.Numeric), one));
    }

    [Theory]
    [InlineData("12.50", "12.50")]
    [InlineData("12.5", "12.50")]
    [InlineData("12", "12.00")]
    [InlineData("-0.00", "0.00")]
    [InlineData("1.25e1", "12.50")]
    [InlineData("1250e-2", "12.50")]
    [InlineData("12.5000000000000000000000000000000000000000000", "12.50")]
    [InlineData("99999999.99", "99999999.99")]
    [InlineData("-99999999.99", "-99999999.99")]
    public void a_decimal_is_read_exactly(string json, string canonical) => Assert.Equal(canonical, Reread(Money, json));

    [Theory]
    [InlineData(38, 0, "-99999999999999999999999999999999999999")]
    [InlineData(38, 38, "0.99999999999999999999999999999999999999")]
    [InlineData(38, 38, "-0.00000000000000000000000000000000000001")]
    [InlineData(20, 1, "9999999999999999999.9")]
    [InlineData(5, -2, "1234500")]
    [InlineData(3, 5, "-0.00999")]
    [InlineData(39, 0, "999999999999999999999999999999999999999")]
    public void every_declared_shape_of_numeric_round_trips(int precision, int scale, string json) =>
        Assert.Equal(json, Reread(new ColumnType(ColumnKind.Numeric, "numeric", precision, scale), json));

    private const string Int32Range = "expected an integer from -2147483648 to 2147483647";
    private const string RealExpected = "expected a number in the range of a real, \"NaN\", \"Infinity\" or \"-Infinity\"";
    private const string TimestampTzExpected = "expected a timestamp as \"YYYY-MM-DDTHH:MM:SS.ffffff\" with Z or an offset and "
        + "before the year 294247, \"infinity\" or \"-infinity\"";
    private const string TimestampExpected = "expected a timestamp as \"YYYY-MM-DDTHH:MM:SS.ffffff\" without an offset and "
        + "before the year 294247, \"infinity\" or \"-infinity\"";
    private const string DateExpected = "expected a date as \"YYYY-MM-DD\", \"infinity\" or \"-infinity\"";
    private const string TimeExpected = "expected a time as \"HH:MM:SS.ffffff\" without an offset";
    private const string BrokenString =
        "a string that has no end, a control character that is not escaped, or an escape that JSON does not have";
    private const string UuidExpected = "expected a uuid as \"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\"";

    public static TheoryData<ColumnKind, string, string> Refused => new()
    {
        { ColumnKind.SmallInt, "32768", "expected an integer from -32768 to 32767" },
        { ColumnKind.Integer, "2147483648", Int32Range },
        { ColumnKind.Integer, "1.5", Int32Range },
        { ColumnKind.Integer, "1e10", Int32Range },
        { ColumnKind.Integer, "1e99999999999999999999", Int32Range },
        { ColumnKind.Integer, "\"1\"", Int32Range },
        { ColumnKind.Integer, "01", Int32Range },
        { ColumnKind.Integer, "+1", Int32Range },
        { ColumnKind.Integer, "1.", Int32Range },
        { ColumnKind.Integer, ".5", Int32Range },
        { ColumnKind.Integer, "1e", Int32Range },
        { ColumnKind.Integer, "-", Int32Range },
        { ColumnKind.Integer, "true", Int32Range },
        { ColumnKind.Integer, "{}", Int32Range },
        { ColumnKind.Integer, "[1]", Int32Range },
        { ColumnKind.Integer, "nul", Int32Range },
        { ColumnKind.BigInt, "9223372036854775808", "expected an integer from -9223372036854775808 to 9223372036854775807" },
        { ColumnKind.Numeric, "\"1\"", "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"" },
        { ColumnKind.Real, "1e39", RealExpected },
        { ColumnKind.Real, "1e-60", RealExpected },
        { ColumnKind.Real, "NaN", RealExpected },
        { ColumnKind.Real, "\"nan\"", RealExpected },
        { ColumnKind.Double, "1e309", "expected a number in the range of a double, \"NaN\", \"Infinity\" or \"-Infinity\"" },
        { ColumnKind.Boolean, "1", "expected true or false" },
        { ColumnKind.Boolean, "True", "expected true or false" },
        { ColumnKind.Text, "1", "expected a string" },
        { ColumnKind.Text, "'a'", "expected a string" },
        { ColumnKind.Text, "\"a\nb\"", BrokenString },
        { ColumnKind.Text, "\"a\\tb\nc\"", BrokenString },
        { ColumnKind.Text, "\"\\x41\"", BrokenString },
        { ColumnKind.Text, "\"\\u00g0\"", BrokenString },
        { ColumnKind.Text, "\"\\u00\"", BrokenString },
        { ColumnKind.Text, "\"a\\", BrokenString },
        { ColumnKind.Text, "\"\\ud800\"", "a string with half a surrogate pair" },
        { ColumnKind.Text, "\"\\udc00\\ud800\"", "a string with half a surrogate pair" },
        { ColumnKind.Text, "\"\\ud800\\n\"", "a string with half a surrogate pair" },
        { ColumnKind.Date, "\"2026-02-29\"", DateExpected },
        { ColumnKind.Date, "\"2026-13-01\"", DateExpected },
        { ColumnKind.Date, "\"2026-1-01\"", DateExpected },
        { ColumnKind.Date, "\"-0000-01-01\"", DateExpected },
        { ColumnKind.Date, "\"+9999999-01-01\"", DateExpected },
        { ColumnKind.Date, "\"2026-01-01T00:00:00\"", DateExpected },
        { ColumnKind.Date, "\"Infinity\"", DateExpected },
        { ColumnKind.Date, "20260101", DateExpected },
        { ColumnKind.Time, "\"24:00:00.000001\"", TimeExpected },
        { ColumnKind.Time, "\"23:60:00\"", TimeExpected },
        { ColumnKind.Time, "\"12:00:00Z\"", TimeExpected },
        { ColumnKind.Time, "\"12:00\"", TimeExpected },
        { ColumnKind.Timestamp, "\"2026-01-01T00:00:00Z\"", TimestampExpected },
        { ColumnKind.Timestamp, "\"2026-01-01T24:00:00\"", TimestampExpected },
        { ColumnKind.Timestamp, "\"2026-01-01\"", TimestampExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00.0000001Z\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00.0000000000Z\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00.Z\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00+24\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00+1\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"2026-01-01T00:00:00+01:00:00:00\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "\"+294247-01-10T04:00:54.775807Z\"", TimestampTzExpected },
        { ColumnKind.TimestampTz, "1767225600", TimestampTzExpected },
        { ColumnKind.Uuid, "\"0b9cdd0c3e5f4a1e8f526c1e2f9f2a10\"", UuidExpected },
        { ColumnKind.Uuid, "\"0b9cdd0c-3e5f-4a1e-8f52-6c1e2f9f2a1g\"", UuidExpected },
        { ColumnKind.Bytea, "\"3q2\"", "expected a string of base64" },
        { ColumnKind.Bytea, "\"\\\\xdead\"", "expected a string of base64" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void anything_else_is_refused_with_what_was_expected(ColumnKind kind, string json, string reason) =>
        Assert.Equal($"column \"c\": {reason}", Refusal(TypeOf(kind), json));

    [Theory]
    [InlineData("100000000", "expected a number of at most 8 digits before and 2 behind the point")]
    [InlineData("12.505", "expected a number of at most 8 digits before and 2 behind the point")]
    [InlineData("1e8", "expected a number of at most 8 digits before and 2 behind the point")]
    [InlineData("\"12.50\"", "expected a number of at most 8 digits before and 2 behind the point")]
    [InlineData("\"x\"12", "expected a number of at most 8 digits before and 2 behind the point")]
    [InlineData("\"NaN\"", "NaN and the infinities have no DECIMAL form")]
    public void a_decimal_out_of_its_shape_is_refused(string json, string reason) =>
        Assert.Equal($"column \"c\": {reason}", Refusal(Money, json));

    [Theory]
    [InlineData("1")]
    [InlineData("[1")]
    [InlineData("[1,]")]
    [InlineData("[,1]")]
    [InlineData("[1 2]")]
    [InlineData("[[1]]")]
    [InlineData("[1,\"2\"]")]
    [InlineData("{\"0\":1}")]
    public void an_array_holds_elements_of_its_type_only(string json) =>
        Assert.Equal($"column \"c\": expected an array, each element null or an integer from -2147483648 to 2147483647",
            Refusal(TypeOf(ColumnKind.Integer, isArray: true), json));

    private const string Row = "{\"id\":1,\"c\":2,\"at\":\"2026-01-01T00:00:00.000000Z\"}";

    [Theory]
    [InlineData("", "not a JSON object")]
    [InlineData("null", "not a JSON object")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("\uFEFF" + Row, "not a JSON object")]
    [InlineData("{}", "column \"id\": missing")]
    [InlineData("{\"id\":1,\"c\":2}", "column \"at\": missing")]
    [InlineData("{\"id\":1,\"c\":2,\"c\":2}", "column \"c\": given twice")]
    [InlineData("{\"id\":1,\"C\":2}", "member 2 is no column of the table")]
    [InlineData("{\"id\":1,\"c\":2,}", "the name of member 3: expected a string")]
    [InlineData("{\"id\":1,\"c\" 2}", "column \"c\": no colon behind the name")]
    [InlineData("{\"id\":1 \"c\":2}", "no comma or closing brace behind member 1")]
    [InlineData("{\"id\":1,\"c\":2", "no comma or closing brace behind member 2")]
    [InlineData("{\"id\":1,\"c", "the name of member 2: a string without an end")]
    [InlineData("{\"id\":1,\"c\\n", "the name of member 2: " + BrokenString)]
    [InlineData("{\"id\":1,\"c\\", "the name of member 2: " + BrokenString)]
    [InlineData("{\"id\":1,\"\\ud800\":1}", "the name of member 2: a string with half a surrogate pair")]
    [InlineData("{\"id\":null}", "column \"id\": null, but the column is NOT NULL")]
    [InlineData(Row + Row, "something follows the JSON object")]
    [InlineData(Row + "\0", "something follows the JSON object")]
    public void what_is_no_row_is_refused_with_the_reason(string json, string reason) =>
        Assert.Equal(reason, Assert.Throws<UndecodableException>(() => Decode(SchemaOf(TypeOf(ColumnKind.Integer)), json)).Message);

    [Fact]
    public void bytes_that_are_not_utf8_are_refused()
    {
        byte[] json = [.. Encoding.UTF8.GetBytes("{\"id\":1,\"c\":\""), 0xC3, .. Encoding.UTF8.GetBytes("\",\"at\":null}")];
        var schema = SchemaOf(TypeOf(ColumnKind.Text));
        Assert.Equal("not UTF-8",
            Assert.Throws<UndecodableException>(() => new MessageDecoder(schema).Decode(json, new DecodedRow(schema))).Message);
    }

    [Theory]
    [InlineData("\t{ \"at\" : \"2026-01-01T00:00:00Z\" ,\r\n \"c\" : 2 , \"id\" : 1 } \n")]
    [InlineData("{\"\\u0069d\":1,\"\\u0063\":2,\"at\":\"2026-01-01T00:00:00Z\"}")]
    [InlineData("{\"id\": 1, \"c\": 2, \"at\": \"2026-01-01T00:00:00Z\"}")]
    [InlineData(Row + " ")]
    public void order_whitespace_and_escaped_names_do_not_matter(string json) =>
        Assert.Equal(Row, Text(SchemaOf(TypeOf(ColumnKind.Integer)), json));

    [Fact]
    public void the_native_values_are_those_of_the_lake()
    {
        var schema = new TableSchema(
            [
                new Column("money", Money, false), new Column("wide", new ColumnType(ColumnKind.Numeric, "n", 38, 0), false),
                new Column("day", TypeOf(ColumnKind.Date), false), new Column("end", TypeOf(ColumnKind.Date), false),
                new Column("at", TypeOf(ColumnKind.TimestampTz), false), new Column("start", TypeOf(ColumnKind.Timestamp), false),
                new Column("r", TypeOf(ColumnKind.Real), false), new Column("names", TypeOf(ColumnKind.Text, isArray: true), true),
            ], [0], 4);
        var row = Decode(schema,
            "{\"money\":-12.5,\"wide\":-99999999999999999999,\"day\":\"1970-01-02\",\"end\":\"-infinity\","
            + "\"at\":\"1970-01-01T00:00:01Z\",\"start\":\"infinity\",\"r\":0.1,\"names\":[\"a\",null,\"\\t\"]}");

        Assert.Equal(-1250, row.Cells[0].Unscaled);
        Assert.Equal(Int128.Parse("-99999999999999999999"), row.Cells[1].Unscaled);
        Assert.Equal((1L, (long)-int.MaxValue), (row.Cells[2].Bits, row.Cells[3].Bits));
        Assert.Equal((1_000_000L, long.MaxValue), (row.Cells[4].Bits, row.Cells[5].Bits));
        Assert.Equal(0.1f, BitConverter.Int64BitsToDouble(row.Cells[6].Bits));
        Assert.Equal((0, 3), (row.Cells[7].Start, row.Cells[7].Length));
        Assert.Equal([false, true, false], row.Elements.Select(e => e.IsNull));
        Assert.Equal("\t", Encoding.UTF8.GetString(row.Bytes.Written.Slice(row.Elements[2].Start, row.Elements[2].Length)));
    }

    [Fact]
    public void a_row_keeps_nothing_of_the_row_before()
    {
        var schema = SchemaOf(TypeOf(ColumnKind.Text, isArray: true));
        var decoder = new MessageDecoder(schema);
        var row = new DecodedRow(schema);
        decoder.Decode("{\"id\":1,\"c\":[\"x\",null],\"at\":\"2026-01-01T00:00:00Z\"}"u8, row);
        decoder.Decode("{\"id\":1,\"c\":[],\"at\":\"2026-01-01T00:00:00Z\"}"u8, row);
        Assert.Equal((0, 0, false), (row.Cells[1].Length, row.Elements.Count, row.Cells[1].IsNull));
    }

    [Fact]
    public void rows_cost_no_allocation()
    {
        var schema = SchemaOf(TypeOf(ColumnKind.Text));
        var decoder = new MessageDecoder(schema);
        var row = new DecodedRow(schema);
        var json = "{\"id\":1,\"c\":\"a\\\"\\u00e4\",\"at\":\"2026-01-01T00:00:00.000000Z\"}"u8;
        decoder.Decode(json, row);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++) decoder.Decode(json, row);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 999);
    }

    /// <summary>Decodes a value in our own order and in another one, and writes it as our encoder would.</summary>
    private static string Reread(ColumnType type, string json)
    {
        const string at = "\"at\":\"2000-01-01T00:00:00.000000Z\"";
        var schema = SchemaOf(type);
        var inOrder = Text(schema, $"{{\"id\":1,\"c\":{json},{at}}}");
        Assert.Equal(inOrder, Text(schema, $"{{{at},\"c\":{json},\"id\":1}}"));
        return inOrder["{\"id\":1,\"c\":".Length..^(at.Length + 2)];
    }

    private static string Refusal(ColumnType type, string json)
    {
        var schema = SchemaOf(type);
        var inOrder = Assert.Throws<UndecodableException>(() => Decode(schema, $"{{\"id\":1,\"c\":{json},\"at\":1}}")).Message;
        Assert.Equal(inOrder, Assert.Throws<UndecodableException>(() => Decode(schema, $" {{\"c\":{json},\"at\":1}}")).Message);
        return inOrder;
    }

    private static string Text(TableSchema schema, string json)
    {
        var buffer = new ByteBuffer();
        new MessageWriter(schema).Write(Decode(schema, json), buffer);
        return Encoding.UTF8.GetString(buffer.Written);
    }

    private static DecodedRow Decode(TableSchema schema, string json)
    {
        var row = new DecodedRow(schema);
        new MessageDecoder(schema).Decode(Encoding.UTF8.GetBytes(json), row);
        return row;
    }
}
