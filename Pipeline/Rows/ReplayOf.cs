using System.Globalization;
using System.Text;
using System.Text.Json;

namespace OrdersStream.Rows;

/// <summary>Names one record of a topic, whatever becomes of it.</summary>
/// <param name="Partition">Its partition.</param>
/// <param name="Generation">How often that had lost its end before: offsets of another generation are other records'.</param>
/// <param name="Offset">Its offset.</param>
public readonly record struct RecordPlace(int Partition, int Generation, long Offset) : IComparable<RecordPlace>
{
    public int CompareTo(RecordPlace other) =>
        (Partition, Generation, Offset).CompareTo((other.Partition, other.Generation, other.Offset));

    public override string ToString() => Generation == 0
        ? string.Create(CultureInfo.InvariantCulture, $"partition {Partition}, offset {Offset}")
        : string.Create(CultureInfo.InvariantCulture, $"partition {Partition}, generation {Generation}, offset {Offset}");
}

/// <summary>
/// The mark of a record that was in quarantine and is sent again, as it was or corrected: of which one it is, so that it counts once
/// however often it is sent, and how new its row is (topic format 2).
/// </summary>
/// <param name="Place">Where it was received first.</param>
/// <param name="Version">The row's <c>_version</c>: that which it would have had then.</param>
public sealed record ReplayOf(RecordPlace Place, long Version)
{
    public byte[] ToHeader(string stream) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"{{\"version\":{PageFrame.Version},\"stream\":{JsonSerializer.Serialize(stream, PageFrameJson.Default.String)},"
        + $"\"partition\":{Place.Partition},\"generation\":{Place.Generation},\"offset\":{Place.Offset},\"row_version\":{Version}}}"));

    /// <summary>Reads what <see cref="ToHeader"/> wrote.</summary>
    /// <returns>Null: it is no mark of this stream, but somebody else's header.</returns>
    /// <exception cref="FormatException">It is of a later version.</exception>
    public static ReplayOf? Read(byte[] header, string stream) => PageFrame.Read(header, stream, root =>
    {
        var place = new RecordPlace(
            root.GetProperty("partition").GetInt32(), root.GetProperty("generation").GetInt32(), root.GetProperty("offset").GetInt64());
        var version = root.GetProperty("row_version").GetInt64();
        return place is { Partition: >= 0, Generation: >= 0, Offset: >= 0 } && version >= 0 ? new ReplayOf(place, version) : null;
    });
}
