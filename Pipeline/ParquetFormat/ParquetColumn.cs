using System.Collections.Immutable;
using Parquet.Meta;
using PhysicalType = Parquet.Meta.Type;

namespace OrdersStream.ParquetFormat;

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
