using System.Collections.Immutable;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;
using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace OrdersStream.ParquetFormat;

/// <summary>Table to Parquet: the table's own columns in its order, then the lake's.</summary>
internal static class ParquetSchemaFactory
{
    public const string OpColumn = "_op";
    public const string PartitionColumn = "_partition";
    public const string OffsetColumn = "_offset";

    private static readonly ImmutableArray<ParquetColumn> LakeColumns =
    [
        new(OpColumn, Text, Nullable: false),
        new(PartitionColumn, new ParquetType(PhysicalType.INT32), Nullable: false),
        new(OffsetColumn, new ParquetType(PhysicalType.INT64), Nullable: false),
    ];

    public static ImmutableArray<ParquetColumn> Columns(TableSchema schema)
    {
        foreach (var lake in LakeColumns)
            if (schema.IndexOf(lake.Name) >= 0)
                throw new PipelineException(FailureAction.Stop, $"The table has a column '{lake.Name}', which is the name of one of the lake's own columns.", "Rename it.");
        return [.. schema.Columns.Select(c => new ParquetColumn(c.Name, TypeOf(c.Type), c.Nullable, c.Type.IsArray)), .. LakeColumns];
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
        ColumnKind.SmallInt => new(PhysicalType.INT32, 0, new LogicalType { INTEGER = new IntType { BitWidth = 16, IsSigned = true } }, ConvertedType.INT_16),
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
        ColumnKind.Timestamp => new(PhysicalType.INT64, 0, new LogicalType { TIMESTAMP = new TimestampType { IsAdjustedToUTC = false, Unit = Micros } }),
        ColumnKind.TimestampTz => new(PhysicalType.INT64, 0, new LogicalType { TIMESTAMP = new TimestampType { IsAdjustedToUTC = true, Unit = Micros } }, ConvertedType.TIMESTAMP_MICROS),
        ColumnKind.Bytea => new(PhysicalType.BYTE_ARRAY),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type.Kind, "no Parquet type for this kind"),
    };

    private static ParquetType Text => new(PhysicalType.BYTE_ARRAY, 0, new LogicalType { STRING = new StringType() }, ConvertedType.UTF8);

    private static TimeUnit Micros => new() { MICROS = new MicroSeconds() };

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
