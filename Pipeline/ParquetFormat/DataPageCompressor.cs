using System.IO.Compression;
using OrdersStream.Configuration;
using Parquet.Meta;
using Snappier;

namespace OrdersStream.ParquetFormat;

/// <summary>Compresses data pages by the configured codec and level; its arrays are reused from one to the next.</summary>
internal sealed class DataPageCompressor : IDisposable
{
    private readonly CompressionLevel gzipLevel;
    private readonly ZstdSharp.Compressor? zstd;
    private readonly MemoryStream gzipped = new();
    private byte[] buffer = [];

    public DataPageCompressor(DatalakeOptions options)
    {
        Codec = options.Compression switch
        {
            "none" => CompressionCodec.UNCOMPRESSED,
            "snappy" => CompressionCodec.SNAPPY,
            "gzip" => CompressionCodec.GZIP,
            "zstd" => CompressionCodec.ZSTD,
            var other => throw new ArgumentOutOfRangeException(nameof(options), other, "unknown datalake.compression"),
        };
        (gzipLevel, var zstdLevel) = options.CompressionLevel switch
        {
            "fastest" => (CompressionLevel.Fastest, 1),
            "optimal" => (CompressionLevel.Optimal, 3),
            // Zstd's own highest levels cost ten times more for a few percent.
            "smallest" => (CompressionLevel.SmallestSize, 9),
            var other => throw new ArgumentOutOfRangeException(nameof(options), other, "unknown datalake.compression_level"),
        };
        if (Codec == CompressionCodec.ZSTD) zstd = new ZstdSharp.Compressor(zstdLevel);
    }

    public CompressionCodec Codec { get; }

    /// <summary>
    /// The compressed data page: valid until the next call, or as long as <paramref name="page"/> where nothing is compressed.
    /// </summary>
    public ReadOnlyMemory<byte> Compress(ReadOnlyMemory<byte> page) => Codec switch
    {
        CompressionCodec.SNAPPY => Snap(page),
        CompressionCodec.ZSTD => Zstd(page),
        CompressionCodec.GZIP => Gzip(page),
        _ => page,
    };

    public void Dispose() => zstd?.Dispose();

    private byte[] Room(int bytes)
    {
        if (buffer.Length < bytes) buffer = new byte[bytes];
        return buffer;
    }

    private ReadOnlyMemory<byte> Snap(ReadOnlyMemory<byte> page)
    {
        var room = Room(Snappy.GetMaxCompressedLength(page.Length));
        return room.AsMemory(0, Snappy.Compress(page.Span, room));
    }

    private ReadOnlyMemory<byte> Zstd(ReadOnlyMemory<byte> page)
    {
        var room = Room(ZstdSharp.Compressor.GetCompressBound(page.Length));
        return room.AsMemory(0, zstd!.Wrap(page.Span, room));
    }

    private ReadOnlyMemory<byte> Gzip(ReadOnlyMemory<byte> page)
    {
        gzipped.SetLength(0);
        using (var gzip = new GZipStream(gzipped, gzipLevel, leaveOpen: true)) gzip.Write(page.Span);
        return gzipped.GetBuffer().AsMemory(0, (int)gzipped.Length);
    }
}
