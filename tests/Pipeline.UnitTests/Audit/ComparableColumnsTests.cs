using System.Collections.Immutable;
using OrdersStream.Audit;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Audit;

public sealed class ComparableColumnsTests
{
    private static readonly TableSchema Table = Of("id", "name", "other");

    /// <summary>Readers see NULL in a column that a file has not: so does who compares.</summary>
    [Fact]
    public void a_column_that_a_version_has_not_is_compared_as_null()
    {
        var shape = new ComparedShape(Table, Of("id", "name"), leavesMissing: false);
        Assert.Empty(shape.LeftOut);
        Assert.True(AreEqual(shape, """{"id":1,"name":"a","other":null}""", """{"id":1,"name":"a"}"""));
        Assert.False(AreEqual(shape, """{"id":1,"name":"a","other":"b"}""", """{"id":1,"name":"a"}"""));
        Assert.False(AreEqual(shape, """{"id":1,"name":"b","other":null}""", """{"id":1,"name":"a"}"""));
    }

    [Fact]
    public void it_is_not_compared_where_such_values_are_to_stay_as_they_are()
    {
        var shape = new ComparedShape(Table, Of("id", "name"), leavesMissing: true);
        Assert.Equal(["other"], shape.LeftOut);
        Assert.True(AreEqual(shape, """{"id":1,"name":"a","other":"b"}""", """{"id":1,"name":"a"}"""));
        Assert.False(AreEqual(shape, """{"id":1,"name":"b","other":"b"}""", """{"id":1,"name":"a"}"""));
    }

    [Fact]
    public void a_column_that_the_table_has_no_more_is_not_compared()
    {
        var shape = new ComparedShape(Of("id", "name"), Table, leavesMissing: false);
        Assert.Equal(["other"], shape.LeftOut);
        Assert.True(AreEqual(shape, """{"id":1,"name":"a"}""", """{"id":1,"name":"a","other":"b"}"""));
    }

    /// <summary>Readers of the lake find one value, whatever the files' scales.</summary>
    [Theory]
    [InlineData("10,2", "12,2", "1.50", "1.50", true)]
    [InlineData("10,2", "12,2", "1.50", "1.51", false)]
    [InlineData("12,4", "10,2", "1.5000", "1.50", true)]
    [InlineData("", "10,2", "1.5", "1.50", true)]
    [InlineData("", "10,0", "100", "100", true)]
    [InlineData("", "10,0", "10", "100", false)]
    [InlineData("12,4", "10,2", "0.0000", "0.00", true)]
    [InlineData("12,4", "", "-20.0000", "-20", true)]
    [InlineData("12,4", "", "1.0000", "\"NaN\"", false)]
    [InlineData("12,4", "10,2", "null", "null", true)]
    [InlineData("12,4", "10,2", "null", "0.00", false)]
    [InlineData("12,4", "bigint", "20.0000", "20", true)]
    [InlineData("12,4", "bigint", "20.1000", "20", false)]
    [InlineData("12,4[]", "10,2[]", "[1.5000,null,20.0000]", "[1.50,null,20.00]", true)]
    [InlineData("12,4[]", "10,2[]", "[1.5000,2.0000]", "[1.50,20.00]", false)]
    public void a_numeric_of_another_width_is_compared_by_value(string tables, string lakes, string table, string lake, bool isEqual)
    {
        var shape = new ComparedShape(WithAmount(Numeric(tables)), WithAmount(Numeric(lakes)), leavesMissing: false);
        Assert.Empty(shape.LeftOut);
        Assert.Equal(isEqual, AreEqual(shape, WithAmount(Numeric(tables)), table, WithAmount(Numeric(lakes)), lake));
    }

    /// <summary>It is as it reads, until it is published as the type that it has in the table.</summary>
    [Theory]
    [InlineData("\"5\"", "5", false)]
    [InlineData("null", "5", false)]
    [InlineData("\"5\"", "null", false)]
    [InlineData("null", "null", true)]
    public void a_value_of_another_type_is_compared_as_it_reads(string table, string lake, bool isEqual)
    {
        var (text, whole) = (WithAmount(new(ColumnKind.Text, "text")), WithAmount(new(ColumnKind.BigInt, "bigint")));
        Assert.Equal(isEqual, AreEqual(new ComparedShape(text, whole, leavesMissing: false), text, table, whole, lake));
        var left = new ComparedShape(text, whole, leavesMissing: true);
        Assert.Equal(["amount"], left.LeftOut);
        Assert.True(AreEqual(left, text, table, whole, lake));
    }

    private static bool AreEqual(ComparedShape shape, TableSchema tables, string table, TableSchema lakes, string lake) =>
        shape.TableValues.Of(Decoded(tables, table)) == shape.LakeValues.Of(Decoded(lakes, lake));

    private static DecodedRow Decoded(TableSchema schema, string amount)
    {
        var row = new DecodedRow(schema);
        new MessageDecoder(schema).Decode(
            System.Text.Encoding.UTF8.GetBytes($$"""{"id":1,"amount":{{amount}},"at":"2026-01-01T00:00:00.000000Z"}"""), row);
        return row;
    }

    private static TableSchema WithAmount(ColumnType type) =>
        new([new("id", TypeOf("id"), false), new("amount", type, true), new("at", TypeOf("at"), false)], [0], 2);

    private static ColumnType Numeric(string digits)
    {
        if (digits == "bigint") return TypeOf("id");
        var parts = digits.TrimEnd('[', ']').Split(',');
        int? Part(int i) => i < parts.Length && int.TryParse(parts[i], out var n) ? n : null;
        return new(ColumnKind.Numeric, $"numeric({digits})", Part(0), Part(1), digits.EndsWith(']'));
    }

    private static bool AreEqual(ComparedShape shape, string table, string lake) =>
        shape.TableValues.Of(Decoded(table)) == shape.LakeValues.Of(Decoded(lake));

    private static DecodedRow Decoded(string json)
    {
        var schema = json.Contains("other", StringComparison.Ordinal) ? Table : Of("id", "name");
        var row = new DecodedRow(schema);
        new MessageDecoder(schema).Decode(
            System.Text.Encoding.UTF8.GetBytes($"{json[..^1]},\"at\":\"2026-01-01T00:00:00.000000Z\"}}"), row);
        return row;
    }

    private static TableSchema Of(params string[] names)
    {
        var columns = names.Select(n => new Column(n, TypeOf(n), n != "id")).Append(new("at", TypeOf("at"), false)).ToImmutableArray();
        return new TableSchema(columns, [0], columns.Length - 1);
    }

    private static ColumnType TypeOf(string name) => name switch
    {
        "id" => new(ColumnKind.BigInt, "bigint"),
        "at" => new(ColumnKind.TimestampTz, "timestamp with time zone"),
        _ => new(ColumnKind.Text, "text"),
    };
}
