using System.Runtime.CompilerServices;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>Metadata serialized by Parquet.Net's own methods, which are no public part of it.</summary>
internal sealed class PackageThrift : ParquetThrift
{
    private const string WriterType = "Parquet.Meta.Proto.ThriftCompactProtocolWriter, Parquet";

    private readonly MemoryStream scratch = new();
    private readonly object writer;

    /// <exception cref="MissingMemberException">The package has other methods; here or at the first use.</exception>
    /// <exception cref="TypeLoadException">The package has other types; here or at the first use.</exception>
    public PackageThrift() => writer = CreateWriter(scratch);

    public override ReadOnlyMemory<byte> Serialize(PageHeader header)
    {
        scratch.SetLength(0);
        Write(header, writer);
        return scratch.GetBuffer().AsMemory(0, (int)scratch.Length);
    }

    public override ReadOnlyMemory<byte> Serialize(FileMetaData footer)
    {
        scratch.SetLength(0);
        Write(footer, writer);
        return scratch.GetBuffer().AsMemory(0, (int)scratch.Length);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Constructor)]
    [return: UnsafeAccessorType(WriterType)]
    private static extern object CreateWriter(Stream output);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Write")]
    private static extern void Write(PageHeader header, [UnsafeAccessorType(WriterType)] object writer);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "Write")]
    private static extern void Write(FileMetaData footer, [UnsafeAccessorType(WriterType)] object writer);
}
