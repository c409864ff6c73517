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
