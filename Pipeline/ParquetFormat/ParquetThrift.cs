using System.Runtime.CompilerServices;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// Footer and page headers as Thrift. Parquet.Net has the whole model of Parquet's metadata in public, but keeps the
/// methods that serialize it to itself; they are called here all the same, since a second copy of that model would be the
/// greater risk. The package's version is pinned, and a test fails should a later one look different.
/// </summary>
/// <remarks>
/// The pages themselves are written by this project: the package takes timestamps as DateTime (no infinity, no year
/// beyond 9999), text as UTF-16, and allocates for each binary value and each DECIMAL of more than 18 digits.
/// </remarks>
internal sealed class ParquetThrift
{
    private const string WriterType = "Parquet.Meta.Proto.ThriftCompactProtocolWriter, Parquet";

    private readonly MemoryStream scratch = new();
    private readonly object writer;

    public ParquetThrift() => writer = Guarded(() => CreateWriter(scratch));

    /// <summary>Valid until the next call.</summary>
    public ReadOnlyMemory<byte> Serialize(PageHeader header)
    {
        scratch.SetLength(0);
        Guarded(() => { Write(header, writer); return 0; });
        return scratch.GetBuffer().AsMemory(0, (int)scratch.Length);
    }

    /// <summary>Valid until the next call.</summary>
    public ReadOnlyMemory<byte> Serialize(FileMetaData footer)
    {
        scratch.SetLength(0);
        Guarded(() => { Write(footer, writer); return 0; });
        return scratch.GetBuffer().AsMemory(0, (int)scratch.Length);
    }

    private static T Guarded<T>(Func<T> call)
    {
        try
        {
            return call();
        }
        catch (Exception e) when (e is MissingMethodException or TypeLoadException or FileNotFoundException)
        {
            throw new InvalidOperationException(
                $"Parquet.Net {typeof(FileMetaData).Assembly.GetName().Version} serializes its metadata otherwise than version 6.1.0 did. Go back to that version, or adapt {nameof(ParquetThrift)}.", e);
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    [return: UnsafeAccessorType(WriterType)]
    private static extern object CreateWriter(Stream output);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Write")]
    private static extern void Write(PageHeader header, [UnsafeAccessorType(WriterType)] object writer);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Write")]
    private static extern void Write(FileMetaData footer, [UnsafeAccessorType(WriterType)] object writer);
}
