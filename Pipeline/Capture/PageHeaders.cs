using System.Text;
using Confluent.Kafka;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// Which record of a page bears which header. Headers are dear, so within transactions only a page's first and last record of a
/// partition has one; without them a stranger's record may stand between any two, and each names its page. A delete says that it is one,
/// since a stranger's record without a value may mean anything.
/// </summary>
internal sealed class PageHeaders
{
    /// <summary>A position up to this size is written in each partition; a larger one in one of them.</summary>
    private const int PositionBytesEverywhere = 4 * 1024;

    private static readonly byte[] Delete = Encoding.ASCII.GetBytes(RowOp.Delete);

    private readonly OutgoingPage outgoing;
    private readonly PageFrame frame;
    private readonly byte[] schema;
    private readonly bool isNamed;
    private readonly int[] sent;
    private readonly byte[] position;
    private readonly byte[] reference;

    /// <param name="outgoing">The page.</param>
    /// <param name="stream">The stream's name.</param>
    /// <param name="publisher">Incarnation of who sends it.</param>
    /// <param name="isNamed">Each record names its page.</param>
    /// <param name="partitions">Partitions of the topic.</param>
    /// <param name="positionBytesEverywhere">A larger position is written in one partition.</param>
    public PageHeaders(
        OutgoingPage outgoing, string stream, string publisher, bool isNamed, int partitions,
        int positionBytesEverywhere = PositionBytesEverywhere)
    {
        (this.outgoing, this.isNamed) = (outgoing, isNamed);
        (Counts, sent) = (new int[partitions], new int[partitions]);
        foreach (var record in outgoing.Page.Records) Counts[record.Partition]++;
        int[] used = [.. Enumerable.Range(0, partitions).Where(p => Counts[p] > 0)];
        schema = Encoding.ASCII.GetBytes(outgoing.Page.Schema.Fingerprint);
        frame = new PageFrame(
            stream, outgoing.After.PageNumber, publisher, isNamed ? used : outgoing.Again?.Partitions ?? used,
            outgoing.Again?.Of ?? partitions, outgoing.Before, isNamed, outgoing.Page.Schema, outgoing.IsRepair,
            outgoing.Page.IsDeletes);
        position = outgoing.After.ToPosition();
        if (position.Length > positionBytesEverywhere) Carrier = used.MaxBy(p => Counts[p]);
        reference = Carrier < 0 ? [] : outgoing.After.ToReference(Carrier);
    }

    /// <summary>Records per partition.</summary>
    public int[] Counts { get; }

    /// <summary>The partition that the position is written in, whose records go first; -1: in each.</summary>
    public int Carrier { get; } = -1;

    /// <summary>Of the next record of a partition; null: it has none.</summary>
    public Headers? Next(int partition)
    {
        var isFirst = sent[partition]++ == 0;
        var isLast = sent[partition] == Counts[partition];
        if (!isFirst && !isLast && !isNamed && !outgoing.Page.IsDeletes) return null;
        var headers = HeadersOf(partition, isFirst, isLast);
        if (isNamed && !isFirst && !isLast) headers.Add(StreamHeader.PageName, frame.Name);
        if (outgoing.Page.IsDeletes) headers.Add(StreamHeader.Op, Delete);
        return headers;
    }

    /// <summary>
    /// Bytes of them in a record, and of what may grow in them from page to page: the keys of the last row, and of the one before, and the
    /// list of the partitions.
    /// </summary>
    public static long BytesOf(Headers headers, int partitions, int keyBytes)
    {
        const int batchBytes = 1024, cursors = 4, cursorBytes = 128;
        return headers.Sum(h => h.Key.Length + h.GetValueBytes().Length + 16L)
            + batchBytes + 8L * partitions + cursors * (cursorBytes + 2L * keyBytes);
    }

    private Headers HeadersOf(int partition, bool isFirst, bool isLast)
    {
        var headers = new Headers();
        if (isFirst)
        {
            headers.Add(StreamHeader.Schema, schema);
            headers.Add(StreamHeader.Page, frame.Start(Counts[partition], outgoing.Previous.GetValueOrDefault(partition)));
        }
        if (isLast)
        {
            headers.Add(StreamHeader.PageEnd, frame.End(Counts[partition]));
            headers.Add(StreamHeader.Position, Carrier < 0 || Carrier == partition ? position : reference);
        }
        return headers;
    }
}
