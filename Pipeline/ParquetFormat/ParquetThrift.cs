using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Footer and page headers as Thrift. Parquet.Net has the whole model of Parquet's metadata in public, but keeps the methods
/// that serialize it to itself. They are called all the same (<see cref="PackageThrift"/>): they know every field of the model.
/// Where a later version of the package looks different, this project's own serialization stands in
/// (<see cref="CompactThrift"/>), so that an update never stops the product.
/// </summary>
/// <remarks>
/// The pages themselves are written by this project: the package takes timestamps as DateTime (no infinity, no year
/// beyond 9999), text as UTF-16, and allocates for each binary value and each DECIMAL of more than 18 digits.
/// </remarks>
internal abstract class ParquetThrift
{
    /// <summary>Makes one for one thread, by the way that is in use. The package is asked once.</summary>
    public static Func<ParquetThrift> New { get; } = Choose(() => new PackageThrift());

    /// <summary>Valid until the next call.</summary>
    public abstract ReadOnlyMemory<byte> Serialize(PageHeader header);

    /// <summary>Valid until the next call.</summary>
    public abstract ReadOnlyMemory<byte> Serialize(FileMetaData footer);

    /// <summary>The package's way where it is there and writes the very bytes that our own writes, else our own.</summary>
    internal static Func<ParquetThrift> Choose(Func<ParquetThrift> package)
    {
        try
        {
            if (WriteTheSame(package(), new CompactThrift())) return package;
        }
        catch (Exception)
        {
            // A version that looks different, or refuses what this one takes: to do without it is slower, and goes on.
        }
        return () => new CompactThrift();
    }

    private static bool WriteTheSame(ParquetThrift one, ParquetThrift other)
    {
        var header = new PageHeader
        {
            UncompressedPageSize = 70_000, CompressedPageSize = 300,
            DictionaryPageHeader = new DictionaryPageHeader { NumValues = 2, Encoding = Encoding.PLAIN },
        };
        var footer = new FileMetaData
        {
            Version = 2, NumRows = 1, CreatedBy = "probe", RowGroups = [],
            Schema = [new SchemaElement { Name = "schema", LogicalType = new LogicalType { STRING = new StringType() } }],
        };
        return one.Serialize(header).Span.SequenceEqual(other.Serialize(header).Span)
            && one.Serialize(footer).Span.SequenceEqual(other.Serialize(footer).Span);
    }
}
