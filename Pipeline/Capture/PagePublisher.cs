using System.Security.Cryptography;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Kafka.Native;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>A page as it goes to the topic.</summary>
/// <param name="Page">Its rows; it is not empty.</param>
/// <param name="After">The position after it: its number is the page's.</param>
/// <param name="Before">The last row before it in its window; null: it is the window's first page.</param>
/// <param name="Previous">Per partition, the number of the page before it there.</param>
/// <param name="Again">The torn page that it is the rest of; null: it is sent for the first time.</param>
internal sealed record OutgoingPage(
    Page Page, Watermark After, Cursor? Before, IReadOnlyDictionary<int, long> Previous, TornPage? Again = null)
{
    /// <summary>It is of no window: the position stays where it is.</summary>
    public bool IsRepair => After.Window is null;
}

/// <summary>
/// Publishes pages, each in one transaction: all of it is visible to read_committed, or none (invariants 2, 5). A transaction is a help
/// and not the proof: a request to end one that the network held back can end the next one too early. So each page has frames that say
/// whether it is whole, and after anything out of the ordinary the publisher is made anew (<see cref="IsInDoubt"/>). Without transactions
/// the frames are all there is, and a fence in each partition stands for the brokers' (<see cref="FenceAsync"/>).
/// </summary>
internal sealed class PagePublisher : IDisposable
{
    /// <summary>How long the end of a transaction may take where nobody wants to go on.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(3);

    private readonly PipelineOptions options;
    private readonly CrashPoints crashPoints;
    private readonly TimeSpan timeout;
    private IProducer<byte[], byte[]> producer;
    private int batchBytes = KafkaClients.BatchBytesFor(null);
    private readonly DedicatedThread thread = new("publisher");
    private readonly Dictionary<int, long> reached = [];
    private RecordSender? sender;

    /// <summary>The end of the client that asked about the topic: it lives on the producer's.</summary>
    private Task closing = Task.CompletedTask;

    private readonly ClientErrors errors;
    private volatile bool isInDoubt;
    private bool isDisposed;

    /// <summary>The page that the client reads from, until it was committed or the client is gone.</summary>
    private Page? inFlight;

    /// <summary>Tells it from any other publisher of the stream.</summary>
    public string Incarnation { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));

    private PagePublisher(PipelineOptions options, CrashPoints crashPoints)
    {
        (this.options, this.crashPoints) = (options, crashPoints);
        timeout = TimeSpan.FromSeconds(options.Kafka.TransactionTimeout);
        errors = new ClientErrors(options.Kafka);
        producer = BuildClient();
    }

    private IProducer<byte[], byte[]> BuildClient() => new ProducerBuilder<byte[], byte[]>(KafkaClients.Publisher(options, batchBytes))
        .WithTokens(options.Kafka, errors)
        // What the client says of a broken connection, a time-out, a retry. It is called before the client goes on.
        .SetLogHandler((_, line) =>
        {
            isInDoubt = true;
            errors.OnLog(line);
        })
        .SetErrorHandler((_, e) =>
        {
            isInDoubt = true;
            errors.OnError(e);
        })
        .Build();

    /// <summary>Makes the client, which looks for the brokers by itself from then on: while there is something else to do.</summary>
    public static PagePublisher Connect(PipelineOptions options, CrashPoints crashPoints) => new(options, crashPoints);

    /// <summary>
    /// Since it was opened, the client saw a connection end, a time-out, a retry, or an answer slower than usual: a request of this
    /// publisher may still be on its way. One that is made anew has another epoch, which refuses it.
    /// </summary>
    public bool IsInDoubt => isInDoubt;

    /// <summary>Makes sure of the topic, ends what an earlier publisher of the same stream left unfinished, and fences it.</summary>
    /// <param name="partitions">By how many the pages to come are cut; null: as many as the topic has now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public async Task<TopicDescription> OpenAsync(int? partitions, CancellationToken cancellationToken)
    {
        var topic = await EnsureTopicAsync(cancellationToken);
        if (KafkaClients.BatchBytesFor(topic.Settings?.RecordBytesMax) is var taken && taken < batchBytes)
        {
            await closing;
            producer.Dispose();
            batchBytes = taken;
            producer = BuildClient();
        }
        if (options.Kafka.IsTransactional)
            await KafkaClients.AskAsync(Answer(producer.InitTransactions), timeout, cancellationToken, errors);
        // Only now: a client that knows the topic asks for it, and many brokers then make it, with partitions of their choice.
        sender = new RecordSender(producer, options.Kafka, partitions ?? topic.Partitions);
        // What it said while it looked for its brokers concerns no page.
        isInDoubt = false;
        return topic;
    }

    // By the same client: one that has not spoken to its brokers when it is to open its transactions may look again after half a second
    // only.
    private Task<TopicDescription> EnsureTopicAsync(CancellationToken cancellationToken) => KafkaClients.AskAndCloseAsync(
        new DependentAdminClientBuilder(producer.Handle).Build(),
        admin => new TopicAdmin(options).EnsureAsync(admin, cancellationToken), errors, end => closing = end);

    /// <summary>On return the page is durable and visible.</summary>
    /// <param name="outgoing">What to publish.</param>
    /// <param name="cancellationToken">
    /// Gives the page up while it is being sent; a commit that has begun is given a while to be answered.
    /// </param>
    /// <returns>Records per partition.</returns>
    public async Task<int[]> PublishAsync(OutgoingPage outgoing, CancellationToken cancellationToken)
    {
        if (options.Kafka.IsTransactional) producer.BeginTransaction();
        inFlight = outgoing.Page;
        try
        {
            var counts = await SendAsync(outgoing, cancellationToken);
            crashPoints.Reached(CrashPoint.PageProduced);
            if (options.Kafka.IsTransactional) await CommitAsync(cancellationToken);
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

    private async Task<int[]> SendAsync(OutgoingPage outgoing, CancellationToken cancellationToken)
    {
        try
        {
            var sending = await thread.RunAsync(() => new PageSending(sender!, outgoing, options, Incarnation));
            foreach (var turn in sending.Turns)
            {
                if (!await thread.RunAsync(() => sending.Send(turn, cancellationToken)) || !turn.IsWaitedFor) continue;
                await AcknowledgedAsync(cancellationToken);
                if (!options.Kafka.IsTransactional && turn.IsEnd)
                    await CheckCountsAsync(outgoing.After, sending.Counts, turn, cancellationToken);
            }
            return sending.Counts;
        }
        catch (OperationCanceledException)
        {
            Abort();
            throw;
        }
    }

    // Without a transaction, what is not acknowledged may be lost, and what is may be late.
    private async Task AcknowledgedAsync(CancellationToken cancellationToken)
    {
        await KafkaClients.AskAsync(
            turn => producer.Flush(turn) == 0 ? true : throw new KafkaException(ErrorCode.Local_TimedOut), timeout, cancellationToken);
        if (sender!.TakeFailure() is { } failure) throw new KafkaException(failure);
    }

    /// <summary>
    /// For who sends without transactions: a predecessor that sent by them, and slept, is refused from now on, and what it had begun is
    /// aborted. Its records do not name their page, so behind a fence they would be taken for another producer's.
    /// </summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public async Task FenceTransactionsAsync(CancellationToken cancellationToken)
    {
        var byTransactions = options with { Kafka = options.Kafka with { Delivery = KafkaOptions.Transactions } };
        using var successor = new ProducerBuilder<byte[], byte[]>(KafkaClients.Publisher(byTransactions, batchBytes))
            .WithTokens(options.Kafka, errors)
            .SetLogHandler((_, line) => errors.OnLog(line)).SetErrorHandler((_, e) => errors.OnError(e)).Build();
        await KafkaClients.AskAsync(Answer(successor.InitTransactions), timeout, cancellationToken, errors);
    }

    /// <summary>
    /// Marks in each partition where this publisher begins: what a predecessor sends from then on counts for nobody. On return the marks
    /// are in the topic.
    /// </summary>
    public async Task FenceAsync(long number, CancellationToken cancellationToken)
    {
        sender!.SendToEach(new Headers { { StreamHeader.Fence, new PageFence(number, Incarnation).ToHeader(options.StreamName) } });
        await AcknowledgedAsync(cancellationToken);
    }

    /// <summary>
    /// The page counts in each partition: nobody's fence lies between what this publisher knew of it and the page's end. A publisher that
    /// slept, and was replaced, learns it here, before it says that the page is published (invariant 5).
    /// </summary>
    private async Task CheckCountsAsync(Watermark page, int[] counts, PageTurn turn, CancellationToken cancellationToken)
    {
        for (var p = 0; p < counts.Length; p++)
        {
            if (counts[p] == 0 || !turn.IsOf(p)) continue;
            var from = Math.Max(page.Offsets.GetValueOrDefault(p), reached.GetValueOrDefault(p));
            var end = sender!.TakeEnd(p);
            if (end != from + counts[p]) end = await FindEndAsync(p, from, page.PageNumber, cancellationToken);
            reached[p] = end;
        }
    }

    // Somebody else's records are there, too.
    private async Task<long> FindEndAsync(int partition, long from, long page, CancellationToken cancellationToken)
    {
        var topic = new TopicReader(options);
        await foreach (var record in topic.ReadUncommittedAsync(partition, from, cancellationToken))
        {
            try
            {
                if (IsEndOf(page, in record)) return record.Offset + 1;
            }
            catch (FormatException e)
            {
                throw PageFrame.ToStop(e, options.Kafka.Topic, partition, record.Offset);
            }
        }
        throw Replaced();
    }

    private bool IsEndOf(long page, in StreamRecord record)
    {
        foreach (var header in record.Headers ?? [])
        {
            if (header.Value is not { } value) continue;
            if (header.Name == StreamHeader.Fence && PageFence.Read(value, options.StreamName) is { } fence && fence.Page > page)
                throw Replaced();
            if (header.Name == StreamHeader.PageEnd && PageEnd.Read(value, options.StreamName) is { } end
                && end.Page == page && end.Publisher == Incarnation)
                return true;
        }
        return false;
    }

    /// <summary>Another publisher's fence counts.</summary>
    public PipelineException Replaced() => new(new FailureVerdict(FailureAction.Retry,
        $"Another publisher of topic '{options.Kafka.Topic}' has begun meanwhile: what this one sent since then does not count.",
        "Whoever holds the poller's lock reads the rows again, from where the topic shows that they are missing.", SeesItself: true)
    {
        Kind = "replaced",
    });

    // The page is committed or not, whatever this process wishes. One that stops without an answer leaves it to the next start to find
    // out which, at the topic's end (invariant 2).
    private async Task CommitAsync(CancellationToken cancellationToken)
    {
        using var grace = new GracePeriod(cancellationToken, StopPatience);
        var turns = 0;
        var commit = Answer(producer.CommitTransaction);
        await KafkaClients.AskAsync(
            turn =>
            {
                // A second turn: the answer is slower than usual.
                if (turns++ > 0) isInDoubt = true;
                return commit(turn);
            },
            timeout, grace.Token);
    }

    private void Abort()
    {
        if (!options.Kafka.IsTransactional) return;
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
        if (isDisposed) return;
        isDisposed = true;
        thread.Dispose();
        closing.Wait();
        sender?.Dispose();
        producer.Dispose();
        inFlight = null;
    }
}
