using System.Diagnostics;
using Confluent.Kafka;
using OrdersStream.Configuration;

namespace OrdersStream.Kafka;

/// <summary>
/// The settings of every Kafka client of the product, in one place: brokers, TLS and SASL from the configuration, and
/// limits that keep librdkafka's own buffers small (invariant 7).
/// </summary>
public static class KafkaClients
{
    /// <summary>Largest record of a topic that is created here, bytes.</summary>
    public const int NewTopicRecordBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Largest record that is sent and received, bytes, where a topic takes such: a row is in memory as a whole (invariant 7), and a broker
    /// takes no request of more than 100 MiB (socket.request.max.bytes).
    /// </summary>
    public const int RecordBytesMax = 96 * 1024 * 1024;

    /// <summary>For what comes with a record: headers, the batch around it, other partitions' records in the same answer.</summary>
    private const int RequestRoom = 2 * 1024 * 1024;

    private const int BatchBytesMax = 1024 * 1024;

    /// <summary>For what the client does not count of a batch.</summary>
    private const int BatchRoom = 512;

    /// <summary>How long a broker may take for one answer before the client tries again.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan TurnMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PauseBetweenTurns = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Makes a call that waits by blocking, in short turns off the caller's thread, so that a stop does not wait for a
    /// broker that is away. The client goes on where it was.
    /// </summary>
    /// <param name="call">Given how long it may block.</param>
    /// <param name="patience">How long to go on asking.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <param name="errors">What the client tells on the side: after a refusal asking again is in vain, and a failure is told by its cause.
    /// Null: it is not known.</param>
    /// <exception cref="KafkaException">No answer within <paramref name="patience"/>, or another failure.</exception>
    public static async Task<T> AskAsync<T>(
        Func<TimeSpan, T> call, TimeSpan patience, CancellationToken cancellationToken, ClientErrors? errors = null)
    {
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await Task.Run(() => call(TurnMax), cancellationToken);
            }
            catch (KafkaException e)
                when (IsNoAnswerYet(e) && errors?.Refusal is null && Stopwatch.GetElapsedTime(begun) < patience)
            {
                await Task.Delay(PauseBetweenTurns, cancellationToken);
            }
            catch (KafkaException e) when (errors?.CauseOf(e) is { } cause)
            {
                throw cause;
            }
        }
    }

    // A topic that is only just made, or whose leader moves, has for a moment no broker that answers for it; and a client that lost its
    // connections for a moment connects again by itself.
    internal static bool IsNoAnswerYet(KafkaException e) =>
        e is KafkaRetriableException || (!e.Error.IsFatal && e.Error.Code is
            ErrorCode.Local_TimedOut or ErrorCode.Local_Transport or ErrorCode.Local_AllBrokersDown or ErrorCode.BrokerNotAvailable
            or ErrorCode.LeaderNotAvailable or ErrorCode.NotLeaderForPartition or ErrorCode.ReplicaNotAvailable
            or ErrorCode.FencedLeaderEpoch or ErrorCode.UnknownLeaderEpoch or ErrorCode.UnknownTopicOrPart or ErrorCode.OffsetNotAvailable);

    /// <summary>A broker or this side has said no to the other: to ask again is in vain.</summary>
    public static bool IsRefusal(Error e) =>
        e.Code is ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed or ErrorCode.Local_Ssl;

    /// <summary>
    /// Asks by an administrative client, and closes it. That takes two of its polls, 0.2 s, for which nobody needs to wait but who ends the
    /// client that it depends on. One that gave no answer at all (<see cref="AnswerAsync{T}"/>) has ended itself: to close it once more
    /// would free what is free.
    /// </summary>
    /// <param name="client">Asked nothing else.</param>
    /// <param name="question">What to ask; its answers are waited for by <see cref="AnswerAsync{T}"/>.</param>
    /// <param name="errors">What the client tells on the side: a failure is told by its cause.</param>
    /// <param name="closing">Given its end.</param>
    public static async Task<T> AskAndCloseAsync<T>(
        IAdminClient client, Func<IAdminClient, Task<T>> question, ClientErrors errors, Action<Task>? closing = null)
    {
        var hasEnded = false;
        try
        {
            return await question(client);
        }
        catch (KafkaException e) when (errors.CauseOf(e) is { } cause)
        {
            throw cause;
        }
        catch (TimeoutException)
        {
            hasEnded = true;
            throw;
        }
        finally
        {
            if (!hasEnded)
            {
                var end = Task.Run(client.Dispose);
                closing?.Invoke(end);
            }
        }
    }

    /// <summary>
    /// An administrative answer, which comes within the time that its request was given. Where the client cannot read what a broker said,
    /// it gives none at all, and has ended itself.
    /// </summary>
    /// <exception cref="TimeoutException">There is none.</exception>
    public static Task<T> AnswerAsync<T>(Task<T> answer, CancellationToken cancellationToken) =>
        answer.WaitAsync(2 * AnswerTimeout, cancellationToken);

    /// <inheritdoc cref="AnswerAsync{T}"/>
    public static Task AnswerAsync(Task answer, CancellationToken cancellationToken) =>
        answer.WaitAsync(2 * AnswerTimeout, cancellationToken);

    public static ClientConfig Common(KafkaOptions options) => new()
    {
        BootstrapServers = options.Brokers,
        ClientId = "orders-stream",
        SecurityProtocol = Enum.Parse<SecurityProtocol>(options.SecurityProtocol.Replace("_", ""), ignoreCase: true),
        SaslMechanism = options.SaslMechanism?.ToUpperInvariant() switch
        {
            _ when options.UsesTokens => SaslMechanism.OAuthBearer,
            null or "" => null,
            "PLAIN" => SaslMechanism.Plain,
            "SCRAM-SHA-256" => SaslMechanism.ScramSha256,
            "SCRAM-SHA-512" => SaslMechanism.ScramSha512,
            var other => throw new ArgumentException($"unknown SASL mechanism {other}"),
        },
        SaslUsername = options.SaslUsername,
        SaslPassword = SecretFile.Read(options.SaslPasswordFile) ?? options.SaslPassword,
        SslCaLocation = options.SslCaLocation,
        SslCertificateLocation = options.SslCertificateLocation,
        SslKeyLocation = options.SslKeyLocation,
        SslKeyPassword = SecretFile.Read(options.SslKeyPasswordFile) ?? options.SslKeyPassword,
        SocketKeepaliveEnable = true,
        ReconnectBackoffMs = 50,
        ReconnectBackoffMaxMs = 2_000,
        TopicMetadataRefreshIntervalMs = 60_000,
        // A cluster that is only just up answers "no such broker" for a moment; that is no reason to be slow afterwards.
        SocketConnectionSetupTimeoutMs = 10_000,
        // Of consumers too, since librdkafka makes a fetch at least as large; how large a record may be is for each kind of client to say.
        MessageMaxBytes = NewTopicRecordBytes,
    };

    /// <summary>
    /// How large a batch may be: the topic's limit is one of batches, and would refuse together what it takes record by record.
    /// </summary>
    /// <param name="ofTopic">The topic's <c>max.message.bytes</c>; null: it is not known.</param>
    public static int BatchBytesFor(long? ofTopic) => (int)Math.Clamp((ofTopic ?? BatchBytesMax) - BatchRoom, 1, BatchBytesMax);

    /// <summary>
    /// The publisher: idempotent, and transactional where the brokers are. Delivery reports are off then: the commit fails if any record
    /// failed, and a report per record would cost more than sending it.
    /// </summary>
    public static ProducerConfig Publisher(PipelineOptions options, int batchBytes) => new(Common(options.Kafka))
    {
        TransactionalId = options.Kafka.IsTransactional ? options.PublisherName : null,
        EnableIdempotence = true,
        Acks = Acks.All,
        TransactionTimeoutMs = options.Kafka.IsTransactional ? options.Kafka.TransactionTimeout * 1000 : null,
        MessageTimeoutMs = options.Kafka.TransactionTimeout * 1000,
        CompressionType = Enum.Parse<CompressionType>(options.Kafka.Compression, ignoreCase: true),
        LingerMs = 5,
        BatchSize = batchBytes,
        BatchNumMessages = 10_000,
        // Room for a page and its largest row, so that producing never waits for room.
        QueueBufferingMaxKbytes = Math.Max(32 * 1024, options.Postgres.PageBytes / 1024 + 2 * RecordBytesMax / 1024),
        QueueBufferingMaxMessages = 10_000_000,
        EnableDeliveryReports = !options.Kafka.IsTransactional,
        MessageMaxBytes = RecordBytesMax + RequestRoom,
    };

    /// <summary>A consumer that reads committed records only, and whose position is told by the lake and not by the group.</summary>
    public static ConsumerConfig Reader(PipelineOptions options, string groupId) => new(Common(options.Kafka))
    {
        GroupId = groupId,
        IsolationLevel = IsolationLevel.ReadCommitted,
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        AutoOffsetReset = AutoOffsetReset.Error,
        EnablePartitionEof = true,
        // A byte that a broker's disk changed is no row's; brokers do not look when they send. The in-process broker computes none.
        CheckCrcs = options.Kafka.BrokerTellsTopicIds,
        ConsumeResultFields = "headers,timestamp",
        // With a small queue the default back-off of a second, not the network, would set the pace.
        FetchQueueBackoffMs = 5,
        QueuedMaxMessagesKbytes = 4 * 1024,
        QueuedMinMessages = 100_000,
        // A fetch brings at least one batch of the producer, and is limited as it comes: decompressed it may be many times as large. Larger
        // fetches were not faster, and took a quarter more memory.
        MaxPartitionFetchBytes = 64 * 1024,
        ReceiveMessageMaxBytes = RecordBytesMax + NewTopicRecordBytes + RequestRoom,
        FetchWaitMaxMs = 100,
        AllowAutoCreateTopics = false,
    };
}
