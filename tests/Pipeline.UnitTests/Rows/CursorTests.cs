using OrdersStream.Diagnostics;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Rows.CopyTupleWriter;

namespace OrdersStream.UnitTests.Rows;

public sealed class CursorTests
{
    public static TheoryData<ColumnKind, bool, byte[], string> Texts => new()
    {
        { ColumnKind.BigInt, false, Int64(-7), "-7" },
        { ColumnKind.Numeric, false, Numeric("12.50"), "12.50" },
        { ColumnKind.Numeric, false, Numeric("-Infinity"), "-Infinity" },
        { ColumnKind.Real, false, Real(1e-7f), "1E-07" },
        { ColumnKind.Double, false, Double(-0.0), "-0" },
        { ColumnKind.Double, false, Double(double.NaN), "NaN" },
        { ColumnKind.Boolean, false, Bool(true), "true" },
        { ColumnKind.Text, false, Text("\"a\\b\n"), "\"a\\b\n" },
        { ColumnKind.Jsonb, false, Jsonb("\"a\""), "\"a\"" },
        { ColumnKind.Bytea, false, [0xDE, 0xAD], "\\xdead" },
        { ColumnKind.Uuid, false, new byte[16], "00000000-0000-0000-0000-000000000000" },
        { ColumnKind.Date, false, Int32(0), "2000-01-01" },
        { ColumnKind.Date, false, Int32(-746117), "0044-03-15 BC" },
        { ColumnKind.Date, false, Int32(2921940), "10000-01-01" },
        { ColumnKind.Date, false, Int32(int.MinValue), "-infinity" },
        { ColumnKind.Time, false, Int64(86_400_000_000), "24:00:00.000000" },
        { ColumnKind.Timestamp, false, Int64(-1), "1999-12-31 23:59:59.999999" },
        { ColumnKind.TimestampTz, false, Int64(1), "2000-01-01 00:00:00.000001+00" },
        { ColumnKind.TimestampTz, false, Int64(-211813488000000000), "4714-11-24 00:00:00.000000+00 BC" },
        { ColumnKind.TimestampTz, false, Int64(long.MaxValue), "infinity" },
        { ColumnKind.Text, true, Array(Text("a\"\\"), null, Text("NULL")), "{\"a\\\"\\\\\",NULL,\"NULL\"}" },
        { ColumnKind.Bytea, true, Array([0xDE]), "{\"\\\\xde\"}" },
        { ColumnKind.Date, true, Array(Int32(0)), "{\"2000-01-01\"}" },
        { ColumnKind.Integer, true, Array(), "{}" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void a_key_is_text_that_postgres_reads(ColumnKind kind, bool isArray, byte[] field, string text)
    {
        var cursor = new MessageEncoder(KeyedBy(TypeOf(kind, isArray))).CursorAt(Tuple(field, Int64(0)));
        Assert.Equal(new Cursor("2000-01-01 00:00:00.000000+00", [text]), cursor);
    }

    [Fact]
    public void a_composite_key_stands_in_key_order()
    {
        var schema = new TableSchema(
            [new Column("b", TypeOf(ColumnKind.Text), false), new Column("at", TypeOf(ColumnKind.TimestampTz), true),
                new Column("a", TypeOf(ColumnKind.Integer), false)],
            [2, 0], 1);
        Assert.Equal(new Cursor(null, ["1", "x"]), new MessageEncoder(schema).CursorAt(Tuple(Text("x"), null, Int32(1))));
    }

    [Fact]
    public void a_null_in_the_key_stops() =>
        Assert.Throws<PipelineException>(() => new MessageEncoder(KeyedBy(TypeOf(ColumnKind.Text))).CursorAt(Tuple(null, Int64(0))));
}
