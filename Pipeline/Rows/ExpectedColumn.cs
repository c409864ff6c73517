using System.Text;

namespace OrdersStream.Rows;

/// <summary>What the decoder must know of a column for every row, worked out once.</summary>
internal sealed class ExpectedColumn
{
    public ExpectedColumn(Column column, bool first)
    {
        Name = Encoding.UTF8.GetBytes(column.Name);
        Prefix = MessageEncoder.MemberPrefix(column.Name, first);
        Kind = column.Type.Kind;
        IsArray = column.Type.IsArray;
        Nullable = column.Nullable;
        Decimal = DecimalShape.Of(column.Type);
        (Min, Max) = Kind switch
        {
            ColumnKind.SmallInt => (short.MinValue, short.MaxValue),
            ColumnKind.Integer => (int.MinValue, int.MaxValue),
            _ => (long.MinValue, long.MaxValue),
        };
        quotedName = $"column \"{column.Name}\"";
        expectation = IsArray ? $"expected an array, each element null or {ScalarExpectation()}" : $"expected {ScalarExpectation()}";
    }

    private readonly string quotedName;
    private readonly string expectation;

    public byte[] Name { get; }

    /// <summary>What our own encoder writes before the value.</summary>
    public byte[] Prefix { get; }

    public ColumnKind Kind { get; }
    public bool IsArray { get; }
    public bool Nullable { get; }
    public DecimalShape? Decimal { get; }

    /// <summary>Range of an integer column.</summary>
    public long Min { get; }
    public long Max { get; }

    /// <summary>The value is not what the column holds.</summary>
    public UndecodableException Unexpected() => Wrong(expectation);

    public UndecodableException Wrong(string what) => new($"{quotedName}: {what}");

    private string ScalarExpectation() => Kind switch
    {
        ColumnKind.SmallInt or ColumnKind.Integer or ColumnKind.BigInt => $"an integer from {Min} to {Max}",
        ColumnKind.Numeric when Decimal is { Scale: 0 } d => $"an integer of at most {d.Precision} digits",
        ColumnKind.Numeric when Decimal is { } d =>
            $"a number of at most {d.Precision - d.Scale} digits before and {d.Scale} behind the point",
        ColumnKind.Numeric => "a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ColumnKind.Real => "a number in the range of a real, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ColumnKind.Double => "a number in the range of a double, \"NaN\", \"Infinity\" or \"-Infinity\"",
        ColumnKind.Boolean => "true or false",
        ColumnKind.Date => "a date as \"YYYY-MM-DD\", \"infinity\" or \"-infinity\"",
        ColumnKind.Time => "a time as \"HH:MM:SS.ffffff\" without an offset",
        ColumnKind.Timestamp =>
            "a timestamp as \"YYYY-MM-DDTHH:MM:SS.ffffff\" without an offset and before the year 294247, \"infinity\" or \"-infinity\"",
        ColumnKind.TimestampTz =>
            "a timestamp as \"YYYY-MM-DDTHH:MM:SS.ffffff\" with Z or an offset and before the year 294247, \"infinity\" or \"-infinity\"",
        ColumnKind.Uuid => "a uuid as \"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\"",
        ColumnKind.Bytea => "a string of base64",
        _ => "a string",
    };
}
