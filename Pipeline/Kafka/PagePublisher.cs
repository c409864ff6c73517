using System.Text;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Kafka;

/// <summary>
/// Publishes pages, each in one transaction: all of it is visible to read_committed, or none (invariants 2, 5). Opening
/// one fences every earlier publisher of the same stream, and ends what it left unfinished.
/// </summary>
internal sealed class PagePublisher : IDisposable
{
    /// <summary>How long the end of a transaction may take where nobody wants to go on.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(3);

    private readonly IProducer<byte[], byte[]> producer;
    private readonly TopicPartition[] partitions;
    private readonly TimeSpan timeout;
    private readonly CrashPoints crashPoints;

    private PagePublisher(IProducer<byte[], byte[]> producer, TopicPartition[] partitions, TimeSpan timeout, CrashPoints crashPoints) =>
        (this.producer, this.partitions, this.timeout, this.crashPoints) = (producer, partitions, timeout, crashPoints);

    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public static async Task<PagePublisher> OpenAsync(PipelineOptions options, int partitions, CrashPoints crashPoints, CancellationToken cancellationToken)
    {
        var timeout = TimeSpan.FromSeconds(options.Kafka.TransactionTimeout);
        var producer = new ProducerBuilder<byte[], byte[]>(KafkaClients.Publisher(options))
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { })
            .Build();
        try
        {
            await KafkaClients.AskAsync(Answer(producer.InitTransactions), timeout, cancellationToken);
            return new PagePublisher(producer, [.. Enumerable.Range(0, partitions).Select(p => new TopicPartition(options.Kafka.Topic, p))], timeout, crashPoints);
        }
        catch
        {
            producer.Dispose();
            throw;
        }
    }

    /// <summary>On return the page is durable and visible.</summary>
    /// <param name="page">What to publish; it is not empty.</param>
    /// <param name="position">The watermark after the page: goes into a header of each partition's last record.</param>
    /// <param name="cancellationToken">Gives the page up while it is being sent; a commit that has begun is given a while to be answered.</param>
    /// <returns>Records per partition.</returns>
    public async Task<int[]> PublishAsync(Page page, byte[] position, CancellationToken cancellationToken)
    {
        producer.BeginTransaction();
        try
        {
            var counts = await SendAsync(page, position, cancellationToken);
            crashPoints.Reached(CrashPoint.PageProduced);
            await CommitAsync(cancellationToken);
            crashPoints.Reached(CrashPoint.PageCommitted);
            return counts;
        }
        catch (KafkaTxnRequiresAbortException)
        {
            Abort();
            throw;
        }
    }

    private async Task<int[]> SendAsync(Page page, byte[] position, CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(() => Send(page, position, cancellationToken), cancellationToken);
        }
        catch (OperationCanceledException)
        {
            Abort();
            throw;
        }
    }

    // The page is committed or not, whatever this process wishes. One that stops without an answer leaves it to the next start to find
    // out which, at the topic's end (invariant 2).
    private async Task CommitAsync(CancellationToken cancellationToken)
    {
        using var grace = new Grace(cancellationToken, StopPatience);
        await KafkaClients.AskAsync(Answer(producer.CommitTransaction), timeout, grace.Token);
    }

    private int[] Send(Page page, byte[] position, CancellationToken cancellationToken)
    {
        var counts = new int[partitions.Length];
        foreach (var record in page.Records) counts[record.Partition]++;
        var sent = new int[partitions.Length];
        var plain = new Message<byte[], byte[]>();
        var schema = Encoding.ASCII.GetBytes(page.Schema.Fingerprint);
        foreach (var record in page.Records)
        {
            var p = record.Partition;
            var isFirst = sent[p]++ == 0;
            var isLast = sent[p] == counts[p];
            var message = plain;
            if (isFirst || isLast)
            {
                // Headers are dear, so only a page's first and last record of a partition has one.
                message = new Message<byte[], byte[]> { Headers = [] };
                if (isFirst) message.Headers.Add(StreamHeader.Schema, schema);
                if (isLast) message.Headers.Add(StreamHeader.Position, position);
                cancellationToken.ThrowIfCancellationRequested();
            }
            // The client takes whole arrays only; these die young.
            message.Key = page.Key(record).ToArray();
            message.Value = page.Value(record).ToArray();
            Produce(partitions[p], message);
            LargeObjects.Made(record.ValueBytes);
        }
        return counts;
    }

    private void Produce(TopicPartition partition, Message<byte[], byte[]> message)
    {
        while (true)
        {
            try
            {
                producer.Produce(partition, message);
                return;
            }
            catch (ProduceException<byte[], byte[]> e) when (e.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(TimeSpan.FromMilliseconds(50));
            }
        }
    }

    private void Abort()
    {
        try
        {
            producer.AbortTransaction(StopPatience);
        }
        catch (KafkaException)
        {
            // The next publisher's InitTransactions ends it; until then nobody who reads committed records sees it.
        }
    }

    private static Func<TimeSpan, bool> Answer(Action<TimeSpan> call) => turn =>
    {
        call(turn);
        return true;
    };

    public void Dispose() => producer.Dispose();
}
