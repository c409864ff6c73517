using OrdersStream.Memory;
using Parquet.Meta;

namespace OrdersStream.ParquetFormat;

/// <summary>Least and greatest in unsigned byte order, which for UTF-8 is the order of code points.</summary>
internal sealed class ByteBounds
{
    /// <summary>Longer bounds are left out of the statistics: a shortened one may end within a character, which readers refuse.</summary>
    private const int BoundBytesMax = 64;

    private readonly ByteBuffer min = new(BoundBytesMax);
    private readonly ByteBuffer max = new(BoundBytesMax);
    private bool any;

    public void Add(ReadOnlySpan<byte> value)
    {
        if (!any || value.SequenceCompareTo(min.Written) < 0) Set(min, value);
        if (!any || value.SequenceCompareTo(max.Written) > 0) Set(max, value);
        any = true;
    }

    public void TakeInto(Statistics statistics)
    {
        if (any && min.Length <= BoundBytesMax) statistics.MinValue = min.Written.ToArray();
        if (any && max.Length <= BoundBytesMax) statistics.MaxValue = max.Written.ToArray();
        any = false;
    }

    private static void Set(ByteBuffer bound, ReadOnlySpan<byte> value)
    {
        bound.Clear();
        bound.Append(value);
    }
}
