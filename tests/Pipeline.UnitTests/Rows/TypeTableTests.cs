using OrdersStream.Memory;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Rows;

public sealed class TypeTableTests
{
    [Theory]
    [InlineData("int2", ColumnKind.SmallInt)]
    [InlineData("int4", ColumnKind.Integer)]
    [InlineData("int8", ColumnKind.BigInt)]
    [InlineData("numeric", ColumnKind.Numeric)]
    [InlineData("float4", ColumnKind.Real)]
    [InlineData("float8", ColumnKind.Double)]
    [InlineData("bool", ColumnKind.Boolean)]
    [InlineData("text", ColumnKind.Text)]
    [InlineData("varchar", ColumnKind.Text)]
    [InlineData("bpchar", ColumnKind.Text)]
    [InlineData("name", ColumnKind.Text)]
    [InlineData("date", ColumnKind.Date)]
    [InlineData("time", ColumnKind.Time)]
    [InlineData("timestamp", ColumnKind.Timestamp)]
    [InlineData("timestamptz", ColumnKind.TimestampTz)]
    [InlineData("uuid", ColumnKind.Uuid)]
    [InlineData("bytea", ColumnKind.Bytea)]
    [InlineData("json", ColumnKind.Json)]
    [InlineData("jsonb", ColumnKind.Jsonb)]
    public void every_carried_type_resolves_alone_and_as_an_array(string typeName, ColumnKind kind)
    {
        Assert.True(TypeTable.TryResolve(typeName, 'b', -1, false, "x", out var alone));
        Assert.True(TypeTable.TryResolve(typeName, 'b', -1, true, "x[]", out var array));
        Assert.Equal(new ColumnType(kind, "x"), alone);
        Assert.Equal(new ColumnType(kind, "x[]", IsArray: true), array);
    }

    [Fact]
    public void an_enum_is_carried_as_its_label()
    {
        Assert.True(TypeTable.TryResolve("mood", 'e', -1, false, "app.mood", out var type));
        Assert.Equal(new ColumnType(ColumnKind.Text, "app.mood"), type);
    }

    [Theory]
    [InlineData("interval", 'b')]
    [InlineData("timetz", 'b')]
    [InlineData("char", 'b')]
    [InlineData("money", 'b')]
    [InlineData("text", 'c')]
    [InlineData("int4", 'd')]
    [InlineData("int4range", 'r')]
    public void any_other_type_is_refused(string typeName, char typtype)
    {
        Assert.False(TypeTable.TryResolve(typeName, typtype, -1, false, typeName, out var type));
        Assert.Null(type);
    }

    [Theory]
    [InlineData(655366, 10, 2)]
    [InlineData(327684, 5, 0)]
    [InlineData((5 << 16 | (-2 & 0x7ff)) + 4, 5, -2)]
    [InlineData((3 << 16 | 5) + 4, 3, 5)]
    [InlineData((1000 << 16 | (-1000 & 0x7ff)) + 4, 1000, -1000)]
    public void the_type_modifier_gives_precision_and_scale(int typmod, int precision, int scale)
    {
        Assert.True(TypeTable.TryResolve("numeric", 'b', typmod, false, "numeric(..)", out var type));
        Assert.Equal((precision, scale), (type.Precision, type.Scale));
    }

    [Theory]
    [InlineData(10, 2, 10, 2)]
    [InlineData(38, 38, 38, 38)]
    [InlineData(38, 0, 38, 0)]
    [InlineData(5, -2, 7, 0)]
    [InlineData(36, -2, 38, 0)]
    [InlineData(3, 5, 5, 5)]
    [InlineData(3, 38, 38, 38)]
    public void a_numeric_of_up_to_38_digits_is_a_decimal(int p, int s, int precision, int scale) =>
        Assert.Equal(new DecimalShape(precision, scale), DecimalShape.Of(new ColumnType(ColumnKind.Numeric, "n", p, s)));

    [Theory]
    [InlineData(39, 2)]
    [InlineData(37, -2)]
    [InlineData(3, 39)]
    [InlineData(null, null)]
    public void any_other_numeric_is_text(int? p, int? s) =>
        Assert.Null(DecimalShape.Of(new ColumnType(ColumnKind.Numeric, "n", p, s)));

    [Fact]
    public void docs_types_md_shows_this_table()
    {
        Assert.Contains(TypeTable.ToMarkdown(), File.ReadAllText(Path.Combine(ConfigurationFile.Repository, "docs", "types.md")));
    }

    public static TheoryData<int> RowNumbers => [.. Enumerable.Range(0, TypeTable.Rows.Length)];

    [Theory]
    [MemberData(nameof(RowNumbers))]
    public void the_tables_examples_are_what_the_message_holds(int number)
    {
        var example = TypeTable.Rows[number];
        var schema = new TableSchema([new Column("c", example.ExampleType, true)], [0], 0);
        var json = $"{{\"c\":{example.Example}}}";
        var (row, text) = (new DecodedRow(schema), new ByteBuffer());
        new MessageDecoder(schema).Decode(System.Text.Encoding.UTF8.GetBytes(json), row);
        new MessageWriter(schema).Write(row, text);
        Assert.Equal(json, System.Text.Encoding.UTF8.GetString(text.Written));
    }

    [Fact]
    public void every_kind_has_a_line() =>
        Assert.Equal(Enum.GetValues<ColumnKind>().Order(), TypeTable.Rows.Select(row => row.Kind).Distinct().Order());

    [Fact]
    public void a_refusal_can_say_what_is_carried() => Assert.Equal(
        "smallint, integer, bigint, numeric(p,s), real, double precision, boolean, text, varchar(n), char(n), name, date, time, "
            + "timestamp, timestamptz, uuid, bytea, json, jsonb, enums, and one-dimensional arrays of these",
        TypeTable.Carried);
}
