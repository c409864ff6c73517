using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka.Native;

namespace OrdersStream.Capture;

/// <summary>A page on its way to the topic; its headers are those of <see cref="PageHeaders"/>.</summary>
internal sealed class PageSending(RecordSender sender, OutgoingPage outgoing, PipelineOptions options, string incarnation)
{
    private readonly PageHeaders headers = new(
        outgoing, options.StreamName, incarnation, isNamed: !options.Kafka.IsTransactional, sender.Partitions);

    /// <summary>The partition whose records are to be sent, and to be acknowledged, before all others'; -1: there is none.</summary>
    public int Carrier => headers.Carrier;

    /// <summary>Records per partition, of the whole page.</summary>
    public int[] Counts => headers.Counts;

    /// <summary>Nothing of the page is to be anywhere before its position is.</summary>
    /// <exception cref="KafkaException">A record was refused.</exception>
    public bool SendPosition(CancellationToken cancellationToken)
    {
        if (Carrier < 0) return false;
        Send(p => p == Carrier, cancellationToken);
        sender.WaitUntilAcknowledged(cancellationToken);
        return true;
    }

    /// <summary>The records of all other partitions.</summary>
    /// <returns>Records per partition, of the whole page.</returns>
    /// <exception cref="KafkaException">A record was refused.</exception>
    public int[] SendRest(CancellationToken cancellationToken)
    {
        Send(p => p != Carrier, cancellationToken);
        return headers.Counts;
    }

    private void Send(Func<int, bool> isTurn, CancellationToken cancellationToken)
    {
        foreach (var record in outgoing.Page.Records)
        {
            var p = record.Partition;
            if (Carrier >= 0 && !isTurn(p)) continue;
            var own = headers.Next(p);
            if (own is not null) cancellationToken.ThrowIfCancellationRequested();
            if (outgoing.Page.IsDeletes) sender.SendDelete(p, outgoing.Page.Key(record), own!);
            else sender.Send(p, outgoing.Page.Key(record), outgoing.Page.Value(record), own);
        }
        sender.Flush();
    }
}
