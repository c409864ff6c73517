using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka.Native;

namespace OrdersStream.Capture;

/// <summary>A page on its way to the topic; its headers are those of <see cref="PageHeaders"/>.</summary>
internal sealed class PageSending
{
    private readonly RecordSender sender;
    private readonly OutgoingPage outgoing;
    private readonly PageHeaders headers;

    public PageSending(RecordSender sender, OutgoingPage outgoing, PipelineOptions options, string incarnation)
    {
        (this.sender, this.outgoing) = (sender, outgoing);
        headers = new(outgoing, options.StreamName, incarnation, isNamed: !options.Kafka.IsTransactional, sender.Partitions);
        Turns = PageTurn.Of(headers, options.Kafka.IsTransactional);
    }

    /// <summary>In what turns it is sent.</summary>
    public IReadOnlyList<PageTurn> Turns { get; }

    /// <summary>Records per partition, of the whole page.</summary>
    public int[] Counts => headers.Counts;

    /// <returns>False: the turn has no record.</returns>
    /// <exception cref="KafkaException">A record was refused.</exception>
    public bool Send(PageTurn turn, CancellationToken cancellationToken)
    {
        var any = false;
        var passed = new int[Counts.Length];
        foreach (var record in outgoing.Page.Records)
        {
            var p = record.Partition;
            if (!turn.Has(p, passed[p]++)) continue;
            any = true;
            var own = headers.Next(p);
            if (own is not null) cancellationToken.ThrowIfCancellationRequested();
            if (outgoing.Page.IsDeletes) sender.SendDelete(p, outgoing.Page.Key(record), own!);
            else sender.Send(p, outgoing.Page.Key(record), outgoing.Page.Value(record), own);
        }
        sender.Flush();
        return any;
    }
}
