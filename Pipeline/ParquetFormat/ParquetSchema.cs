using System.Collections.Immutable;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;
using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace OrdersStream.ParquetFormat;

/// <summary>Table to Parquet: the table's own columns in its order, then the lake's.</summary>
internal static class ParquetSchema
{
    private static readonly ImmutableArray<ParquetColumn> OwnOfLake =
    [
        new(LakeColumns.Op, Text, Nullable: false),
        new(LakeColumns.Partition, new ParquetType(PhysicalType.INT32), Nullable: false),
        new(LakeColumns.Offset, new ParquetType(PhysicalType.INT64), Nullable: false),
        new(LakeColumns.Version, new ParquetType(PhysicalType.INT64), Nullable: false),
    ];

    /// <param name="schema">The table's.</param>
    /// <param name="hasVersion">False for files of the first format, which have no <c>_version</c>.</param>
    public static ImmutableArray<ParquetColumn> Columns(TableSchema schema, bool hasVersion = true)
    {
        var own = hasVersion ? OwnOfLake : OwnOfLake[..^1];
        if (own.Select(c => c.Name).FirstOrDefault(name => schema.IndexOf(name) >= 0) is { } taken)
            throw new PipelineException(
                FailureAction.Stop, $"The table has a column '{taken}', which is the name of one of the lake's own columns.", "Rename it.");
        return [.. schema.Columns.Select(c => new ParquetColumn(c.Name, TypeOf(c.Type), c.Nullable, c.Type.IsArray)), .. own];
    }

    /// <summary>The schema as the footer lists it: depth first, the root first.</summary>
    public static List<SchemaElement> Elements(ImmutableArray<ParquetColumn> columns)
    {
        var elements = new List<SchemaElement> { new() { Name = "schema", NumChildren = columns.Length } };
        foreach (var column in columns)
        {
            if (!column.IsList)
            {
                elements.Add(Leaf(column.Name, column.Type, column.Nullable));
                continue;
            }
            elements.Add(new SchemaElement
            {
                Name = column.Name, NumChildren = 1, RepetitionType = Repetition(column.Nullable),
                LogicalType = new LogicalType { LIST = new ListType() }, ConvertedType = ConvertedType.LIST,
            });
            elements.Add(new SchemaElement { Name = column.Path[1], NumChildren = 1, RepetitionType = FieldRepetitionType.REPEATED });
            elements.Add(Leaf(column.Path[2], column.Type, nullable: true));
        }
        return elements;
    }

    /// <summary>Of a value, or of an element where the column is an array.</summary>
    public static ParquetType TypeOf(ColumnType type) => type.Kind switch
    {
        ColumnKind.SmallInt => new(
            PhysicalType.INT32, 0, new LogicalType { INTEGER = new IntType { BitWidth = 16, IsSigned = true } }, ConvertedType.INT_16),
        ColumnKind.Integer => new(PhysicalType.INT32),
        ColumnKind.BigInt => new(PhysicalType.INT64),
        ColumnKind.Numeric => DecimalShape.Of(type) is { } shape ? Decimal(shape) : Text,
        ColumnKind.Real => new(PhysicalType.FLOAT),
        ColumnKind.Double => new(PhysicalType.DOUBLE),
        ColumnKind.Boolean => new(PhysicalType.BOOLEAN),
        ColumnKind.Text or ColumnKind.Uuid or ColumnKind.Json or ColumnKind.Jsonb => Text,
        ColumnKind.Date => new(PhysicalType.INT32, 0, new LogicalType { DATE = new DateType() }, ConvertedType.DATE),
        // The old vocabulary's times and timestamps are UTC: local ones have the new annotation alone.
        ColumnKind.Time => new(PhysicalType.INT64, 0, new LogicalType { TIME = new TimeType { IsAdjustedToUTC = false, Unit = Micros } }),
        ColumnKind.Timestamp => new(PhysicalType.INT64, 0, Timestamp(isUtc: false)),
        ColumnKind.TimestampTz => new(PhysicalType.INT64, 0, Timestamp(isUtc: true), ConvertedType.TIMESTAMP_MICROS),
        ColumnKind.Bytea => new(PhysicalType.BYTE_ARRAY),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type.Kind, "no Parquet type for this kind"),
    };

    private static ParquetType Text => new(PhysicalType.BYTE_ARRAY, 0, new LogicalType { STRING = new StringType() }, ConvertedType.UTF8);

    private static TimeUnit Micros => new() { MICROS = new MicroSeconds() };

    private static LogicalType Timestamp(bool isUtc) => new() { TIMESTAMP = new TimestampType { IsAdjustedToUTC = isUtc, Unit = Micros } };

    private static ParquetType Decimal(DecimalShape shape)
    {
        var logical = new LogicalType { DECIMAL = new DecimalType { Precision = shape.Precision, Scale = shape.Scale } };
        return shape.Precision switch
        {
            <= 9 => new(PhysicalType.INT32, 0, logical, ConvertedType.DECIMAL),
            <= 18 => new(PhysicalType.INT64, 0, logical, ConvertedType.DECIMAL),
            _ => new(PhysicalType.FIXED_LEN_BYTE_ARRAY, DecimalLength(shape.Precision), logical, ConvertedType.DECIMAL),
        };
    }

    /// <summary>Fewest bytes whose two's complement holds every number of so many digits.</summary>
    private static int DecimalLength(int precision)
    {
        var largest = Int128.One;
        for (var i = 0; i < precision; i++) largest *= 10;
        largest -= 1;
        return (128 - (int)Int128.LeadingZeroCount(largest) + 1 + 7) / 8;
    }

    private static SchemaElement Leaf(string name, ParquetType type, bool nullable) => new()
    {
        Name = name,
        Type = type.Physical,
        TypeLength = type.Length > 0 ? type.Length : null,
        RepetitionType = Repetition(nullable),
        LogicalType = type.Logical,
        ConvertedType = type.Converted,
        Precision = type.Logical?.DECIMAL?.Precision,
        Scale = type.Logical?.DECIMAL?.Scale,
    };

    private static FieldRepetitionType Repetition(bool nullable) => nullable ? FieldRepetitionType.OPTIONAL : FieldRepetitionType.REQUIRED;
}

/// <summary>How one value lies in the file: the physical type, and the annotation that says what it means.</summary>
/// <param name="Physical">INT32, INT64, FLOAT, DOUBLE, BOOLEAN, BYTE_ARRAY or FIXED_LEN_BYTE_ARRAY.</param>
/// <param name="Length">Bytes of a FIXED_LEN_BYTE_ARRAY, else 0.</param>
/// <param name="Logical">Null where the physical type says it all.</param>
/// <param name="Converted">The same for readers older than logical types; null where the old vocabulary has no exact word.</param>
internal sealed record ParquetType(PhysicalType Physical, int Length = 0, LogicalType? Logical = null, ConvertedType? Converted = null);

/// <summary>
/// One column of a file. A nullable column is OPTIONAL and has definition levels; a list has both kinds of level, its
/// elements are always OPTIONAL since Postgres cannot forbid a null element.
/// </summary>
internal sealed record ParquetColumn(string Name, ParquetType Type, bool Nullable, bool IsList = false)
{
    /// <summary>The definition level of a slot that holds a value.</summary>
    public int MaxDefinitionLevel { get; } = (Nullable ? 1 : 0) + (IsList ? 2 : 0);

    public int MaxRepetitionLevel { get; } = IsList ? 1 : 0;

    /// <summary>From the root to the leaf.</summary>
    public ImmutableArray<string> Path { get; } = IsList ? [Name, "list", "element"] : [Name];
}
