using System.Text;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Kafka.Native;

namespace OrdersStream.Capture;

/// <summary>
/// Publishes pages, each in one transaction: all of it is visible to read_committed, or none (invariants 2, 5).
/// </summary>
internal sealed class PagePublisher : IDisposable
{
    /// <summary>How long the end of a transaction may take where nobody wants to go on.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(3);

    private readonly PipelineOptions options;
    private readonly CrashPoints crashPoints;
    private readonly TimeSpan timeout;
    private readonly IProducer<byte[], byte[]> producer;
    private readonly DedicatedThread thread = new("publisher");
    private RecordSender? sender;
    private volatile Error? refusal;

    /// <summary>The page that the client reads from, until it was committed or the client is gone.</summary>
    private Page? inFlight;

    private PagePublisher(PipelineOptions options, CrashPoints crashPoints)
    {
        (this.options, this.crashPoints) = (options, crashPoints);
        timeout = TimeSpan.FromSeconds(options.Kafka.TransactionTimeout);
        producer = new ProducerBuilder<byte[], byte[]>(KafkaClients.Publisher(options))
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, e) => refusal = KafkaClients.IsRefusal(e) ? e : refusal)
            .Build();
    }

    /// <summary>Makes the client, which looks for the brokers by itself from then on: while there is something else to do.</summary>
    public static PagePublisher Connect(PipelineOptions options, CrashPoints crashPoints) => new(options, crashPoints);

    /// <summary>Makes sure of the topic, ends what an earlier publisher of the same stream left unfinished, and fences it.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public async Task<TopicDescription> OpenAsync(CancellationToken cancellationToken)
    {
        var topic = await EnsureTopicAsync(cancellationToken);
        await KafkaClients.AskAsync(Answer(producer.InitTransactions), timeout, cancellationToken);
        // Only now: a client that knows the topic asks for it, and many brokers then make it, with partitions of their choice.
        sender = new RecordSender(producer, options.Kafka, topic.Partitions);
        return topic;
    }

    // By the same client: one that has not spoken to its brokers when it is to open its transactions may look again after half a second
    // only.
    private async Task<TopicDescription> EnsureTopicAsync(CancellationToken cancellationToken)
    {
        var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        try
        {
            return await new TopicAdmin(options).EnsureAsync(admin, cancellationToken);
        }
        catch (KafkaException) when (refusal is not null)
        {
            throw new KafkaException(refusal);
        }
        finally
        {
            KafkaClients.Close(admin);
        }
    }

    /// <summary>On return the page is durable and visible.</summary>
    /// <param name="page">What to publish; it is not empty.</param>
    /// <param name="position">The watermark after the page: goes into a header of each partition's last record.</param>
    /// <param name="cancellationToken">
    /// Gives the page up while it is being sent; a commit that has begun is given a while to be answered.
    /// </param>
    /// <returns>Records per partition.</returns>
    public async Task<int[]> PublishAsync(Page page, byte[] position, CancellationToken cancellationToken)
    {
        producer.BeginTransaction();
        inFlight = page;
        try
        {
            var counts = await SendAsync(page, position, cancellationToken);
            crashPoints.Reached(CrashPoint.PageProduced);
            await CommitAsync(cancellationToken);
            inFlight = null;
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
            return await thread.RunAsync(() => Send(sender!, page, position, cancellationToken));
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
        using var grace = new GracePeriod(cancellationToken, StopPatience);
        await KafkaClients.AskAsync(Answer(producer.CommitTransaction), timeout, grace.Token);
    }

    private static int[] Send(RecordSender sender, Page page, byte[] position, CancellationToken cancellationToken)
    {
        var counts = new int[sender.Partitions];
        foreach (var record in page.Records) counts[record.Partition]++;
        var sent = new int[sender.Partitions];
        var schema = Encoding.ASCII.GetBytes(page.Schema.Fingerprint);
        foreach (var record in page.Records)
        {
            var p = record.Partition;
            var isFirst = sent[p]++ == 0;
            var isLast = sent[p] == counts[p];
            Headers? headers = null;
            // Headers are dear, so only a page's first and last record of a partition has one.
            if (isFirst || isLast)
            {
                cancellationToken.ThrowIfCancellationRequested();
                headers = HeadersOf(isFirst ? schema : null, isLast ? position : null);
            }
            sender.Send(p, page.Key(record), page.Value(record), headers);
        }
        sender.Flush();
        return counts;
    }

    private static Headers HeadersOf(byte[]? schema, byte[]? position)
    {
        var headers = new Headers();
        if (schema is not null) headers.Add(StreamHeader.Schema, schema);
        if (position is not null) headers.Add(StreamHeader.Position, position);
        return headers;
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

    public void Dispose()
    {
        thread.Dispose();
        sender?.Dispose();
        producer.Dispose();
        inFlight = null;
    }
}
