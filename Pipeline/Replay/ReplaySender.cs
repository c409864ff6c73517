using System.Text;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.Replay;

/// <summary>
/// Sends records again, by no transaction: a copy that is sent once too often is dropped where it is stored.
/// </summary>
internal sealed class ReplaySender : IDisposable
{
    private readonly PipelineOptions options;
    private readonly ClientErrors errors;
    private readonly IProducer<byte[], byte[]> producer;

    public ReplaySender(PipelineOptions options, long? recordBytesMax)
    {
        (this.options, errors) = (options, new ClientErrors(options.Kafka));
        // The topic's limit is one of batches as they are sent: compressed, a record may be larger.
        RecordBytesMax = options.Kafka.Compression == "none" && recordBytesMax is { } limit
            ? Math.Min(limit, KafkaClients.RecordBytesMax) : KafkaClients.RecordBytesMax;
        var plain = options with { Kafka = options.Kafka with { Delivery = "frames" } };
        producer = new ProducerBuilder<byte[], byte[]>(KafkaClients.Publisher(plain, KafkaClients.BatchBytesFor(recordBytesMax)))
            .WithTokens(options.Kafka, errors)
            .SetLogHandler((_, line) => errors.OnLog(line)).SetErrorHandler((_, e) => errors.OnError(e)).Build();
    }

    /// <summary>More than this no record can have, bytes.</summary>
    public long RecordBytesMax { get; }

    /// <summary>On return all are in the topic.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public async Task SendAsync(IReadOnlyList<OutgoingReplay> records, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAll(records.Select(SendAsync)).WaitAsync(cancellationToken);
        }
        catch (KafkaException e) when (errors.CauseOf(e) is { } cause)
        {
            throw cause;
        }
    }

    public void Dispose() => producer.Dispose();

    private Task SendAsync(OutgoingReplay record)
    {
        var headers = new Headers
        {
            { StreamHeader.Schema, Encoding.ASCII.GetBytes(record.Fingerprint) },
            { StreamHeader.Replay, new ReplayOf(record.Place, record.Version).ToHeader(options.StreamName) },
        };
        foreach (var header in record.Headers) headers.Add(header.Name, header.Value);
        return producer.ProduceAsync(
            new TopicPartition(options.Kafka.Topic, record.Partition),
            new Message<byte[], byte[]> { Key = record.Key, Value = record.Value, Headers = headers });
    }
}
