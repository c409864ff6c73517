using System.Collections.Immutable;
using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Kafka;

/// <summary>The brokers and the topic as they are.</summary>
/// <param name="Brokers">Brokers in the cluster.</param>
/// <param name="Version">As the brokers tell it; null: they do not.</param>
/// <param name="Partitions">Partitions of the topic; null: it is not there.</param>
/// <param name="Topic">Which topic it is; null: it is not there, or the brokers tell nothing of topics.</param>
public sealed record ClusterDescription(int Brokers, string? Version, int? Partitions, TopicIdentity? Topic = null)
{
    /// <summary>The brokers as they advertise themselves: host:port.</summary>
    public ImmutableArray<string> Addresses { get; init; } = [];

    /// <summary>The longest transaction that they allow; null: they do not tell.</summary>
    public TimeSpan? TransactionMax { get; init; }
}

/// <summary>What a user may not do that a stream needs.</summary>
/// <param name="Of">As <c>kafka-acls</c> names the operations; null: the brokers do not tell.</param>
internal sealed record MissingRights(ImmutableArray<string>? Of);

/// <summary>Who reads in a consumer group.</summary>
/// <param name="ClientId">As it calls itself.</param>
/// <param name="Host">Where it connects from.</param>
public sealed record GroupMember(string ClientId, string Host);

/// <summary>Creates the topic where it is absent, and tells which topic it is.</summary>
public sealed class TopicAdmin(PipelineOptions options)
{
    private static readonly TopicSettings NotTold = TopicSettings.Unknown("the brokers answer no such question");

    private static readonly TimeSpan ClusterPatience = TimeSpan.FromSeconds(5);

    private readonly KafkaOptions kafka = options.Kafka;

    /// <summary>Describes the topic; creates it with the configured partitions first, where it is absent.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public Task<TopicDescription> EnsureAsync(CancellationToken cancellationToken) =>
        AskAsync((admin, _) => EnsureAsync(admin, cancellationToken));

    /// <summary>Describes the topic and creates nothing; null: it is absent, or the brokers tell nothing of topics.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public async Task<TopicDescription?> FindAsync(CancellationToken cancellationToken) =>
        kafka.BrokerTellsTopicIds ? await AskAsync((admin, _) => DescribeAsync(admin, cancellationToken)) : null;

    /// <summary>What a stream needs to do to the topic, and this user may not.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    internal Task<MissingRights> MissingRightsAsync(CancellationToken cancellationToken) => AskAsync(async (admin, _) =>
    {
        var answer = await KafkaClients.AnswerAsync(
            admin.DescribeTopicsAsync(
                TopicCollection.OfTopicNames([kafka.Topic]),
                new DescribeTopicsOptions { RequestTimeout = KafkaClients.AnswerTimeout, IncludeAuthorizedOperations = true }),
            cancellationToken);
        if (answer.TopicDescriptions.Single().AuthorizedOperations is not { Count: > 0 } may) return new MissingRights(null);
        AclOperation[] needed = [AclOperation.Describe, AclOperation.Read, AclOperation.Write];
        return new MissingRights(
            [.. needed.Where(o => !may.Contains(o) && !may.Contains(AclOperation.All)).Select(o => o.ToString().ToUpperInvariant())]);
    });

    /// <summary>Whether the brokers would make the topic, which is not among those that they show; they do not.</summary>
    /// <exception cref="PipelineException">They would not, or it is there.</exception>
    internal Task<MissingRights> TryCreationAsync(CancellationToken cancellationToken) => AskAsync(async (admin, _) =>
    {
        await RequestCreationAsync(admin, isTrial: true, cancellationToken);
        return new MissingRights(null);
    });

    /// <summary>The same by a client that is there.</summary>
    internal async Task<TopicDescription> EnsureAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        if (!kafka.BrokerTellsTopicIds) return await DescribeByNameAsync(admin, cancellationToken);
        try
        {
            return await DescribeAsync(admin, cancellationToken) ?? await CreateAsync(admin, cancellationToken);
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_UnsupportedFeature or ErrorCode.UnsupportedVersion)
        {
            // A broker that cannot describe topics still tells its metadata. Not so one that does not answer in time: it may just be
            // starting, and a topic that has an id must not be taken for one without.
            return await DescribeByNameAsync(admin, cancellationToken);
        }
    }

    /// <summary>Looks at the cluster and the topic as they are; it creates nothing.</summary>
    /// <exception cref="KafkaException">No broker answers within <paramref name="patience"/>, or it refuses.</exception>
    public Task<ClusterDescription> DescribeClusterAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        AskAsync(async (admin, errors) =>
        {
            // Of all topics: a question for one that is absent would create it on brokers that create topics by themselves.
            var all = await KafkaClients.AskAsync(admin.GetMetadata, patience, cancellationToken, errors);
            var topic = all.Topics.Find(t => t.Topic == kafka.Topic && t.Error.Code == ErrorCode.NoError);
            var settings = await BrokerSettingsAsync(admin, errors, all.Brokers, cancellationToken);
            var identity = topic is null || !kafka.BrokerTellsTopicIds ? null : await IdentityAsync(admin, cancellationToken);
            return new ClusterDescription(
                all.Brokers.Count, settings.GetValueOrDefault("inter.broker.protocol.version"), topic?.Partitions.Count, identity)
            {
                Addresses = [.. all.Brokers.Select(b => string.Create(CultureInfo.InvariantCulture, $"{b.Host}:{b.Port}"))],
                TransactionMax = long.TryParse(
                    settings.GetValueOrDefault("transaction.max.timeout.ms"), NumberStyles.None, CultureInfo.InvariantCulture, out var ms)
                    ? TimeSpan.FromMilliseconds(ms) : null,
            };
        });

    /// <summary>Who reads the topic in the consumer group in force; none where the brokers tell nothing of groups.</summary>
    /// <exception cref="KafkaException">No broker answers, or it refuses.</exception>
    public Task<IReadOnlyList<GroupMember>> GroupMembersAsync(CancellationToken cancellationToken) => kafka.BrokerTellsTopicIds
        ? AskAsync<IReadOnlyList<GroupMember>>(async (admin, _) =>
        {
            var groups = await KafkaClients.AnswerAsync(
                admin.DescribeConsumerGroupsAsync(
                    [kafka.EffectiveGroupId], new DescribeConsumerGroupsOptions { RequestTimeout = KafkaClients.AnswerTimeout }),
                cancellationToken);
            return [.. groups.ConsumerGroupDescriptions.SelectMany(g => g.Members).Select(m => new GroupMember(m.ClientId, m.Host))];
        })
        : Task.FromResult<IReadOnlyList<GroupMember>>([]);

    // By a client of its own, for one question. What a caller sees of a wrong password, certificate or address is a time-out.
    private Task<T> AskAsync<T>(Func<IAdminClient, ClientErrors, Task<T>> question)
    {
        var errors = new ClientErrors(kafka);
        var admin = new AdminClientBuilder(KafkaClients.Common(kafka)).WithTokens(kafka, errors)
            .SetLogHandler((_, line) => errors.OnLog(line)).SetErrorHandler((_, e) => errors.OnError(e)).Build();
        return KafkaClients.AskAndCloseAsync(admin, client => question(client, errors), errors);
    }

    /// <summary>Brokers tell no version; what they tell is the protocol that they speak among themselves, which carries it.</summary>
    /// <remarks>
    /// It is also the one question that a broker must answer at the address that it advertises: the metadata come from the address that is
    /// configured, whether or not anything else can be asked.
    /// </remarks>
    private async Task<ImmutableDictionary<string, string>> BrokerSettingsAsync(
        IAdminClient admin, ClientErrors errors, List<BrokerMetadata> brokers, CancellationToken cancellationToken)
    {
        if (!kafka.BrokerTellsTopicIds || brokers.Count == 0) return ImmutableDictionary<string, string>.Empty;
        try
        {
            var broker = brokers[0].BrokerId.ToString(CultureInfo.InvariantCulture);
            var answer = await KafkaClients.AnswerAsync(
                admin.DescribeConfigsAsync(
                    [new ConfigResource { Type = ResourceType.Broker, Name = broker }],
                    new DescribeConfigsOptions { RequestTimeout = TimeSpan.FromSeconds(2) }),
                cancellationToken);
            return answer[0].Entries.Values.Where(e => e.Value is not null).ToImmutableDictionary(e => e.Name, e => e.Value);
        }
        catch (KafkaException e) when (errors.CauseOf(e) is null)
        {
            // Not every user may ask; nothing depends on it.
            return ImmutableDictionary<string, string>.Empty;
        }
    }

    private async Task<TopicIdentity?> IdentityAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        try
        {
            return (await DescribeAsync(admin, cancellationToken))?.Identity;
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_UnsupportedFeature or ErrorCode.UnsupportedVersion)
        {
            return null;
        }
    }

    private async Task<TopicDescription?> DescribeAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await KafkaClients.AnswerAsync(
                admin.DescribeTopicsAsync(
                    TopicCollection.OfTopicNames([kafka.Topic]), new DescribeTopicsOptions { RequestTimeout = TimeSpan.FromSeconds(5) }),
                cancellationToken);
            var topic = answer.TopicDescriptions.Single();
            var replicas = topic.Partitions.Select(p => p.Replicas.Count).DefaultIfEmpty().Min();
            var settings = TopicSettings.ReadAsync(admin, kafka.Topic, replicas, cancellationToken);
            var cluster = await ClusterIdAsync(admin, cancellationToken);
            var id = topic.TopicId.ToString();
            return new TopicDescription(
                new TopicIdentity(cluster, kafka.Topic, IsNoId(id) ? null : id), topic.Partitions.Count, await settings);
        }
        catch (DescribeTopicsException e) when (e.Results.TopicDescriptions.Single().Error.Code == ErrorCode.UnknownTopicOrPart)
        {
            return null;
        }
        catch (DescribeTopicsException e)
        {
            throw new KafkaException(e.Results.TopicDescriptions.Single().Error, e);
        }
    }

    /// <remarks>
    /// Of the client itself, which has heard it with its first answer. To ask for it may end the process: a broker that has only just
    /// started knows of none, not even of itself, and librdkafka takes such an answer for one without an error (an assertion fails).
    /// </remarks>
    private async Task<string> ClusterIdAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        if (Librdkafka.Of(admin.Handle, kafka) is { } native
            && await Task.Run(() => native.ClusterId(ClusterPatience), cancellationToken) is { } id) return id;
        await KafkaClients.AskAsync(
            turn => admin.GetMetadata(turn).Brokers.Count > 0 ? true : throw new KafkaException(ErrorCode.Local_TimedOut),
            ClusterPatience, cancellationToken);
#pragma warning disable RS0030 // brokers are known
        return (await KafkaClients.AnswerAsync(
            admin.DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = ClusterPatience }), cancellationToken)).ClusterId;
#pragma warning restore RS0030
    }

    private async Task<TopicDescription> CreateAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        await RequestCreationAsync(admin, isTrial: false, cancellationToken);
        // The creation is known to the controller at once, to the broker that answers us a moment later.
        for (var attempt = 0; attempt < 50; attempt++)
        {
            if (await DescribeAsync(admin, cancellationToken) is { Partitions: > 0 } description) return description;
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }
        throw new PipelineException(
            FailureAction.Retry, $"Topic '{kafka.Topic}' was created but is not visible after 5 s.", "It will be tried again.");
    }

    private async Task RequestCreationAsync(IAdminClient admin, bool isTrial, CancellationToken cancellationToken)
    {
        try
        {
            var creation = admin.CreateTopicsAsync([new TopicSpecification
            {
                Name = kafka.Topic,
                NumPartitions = kafka.Partitions,
                ReplicationFactor = (short)kafka.ReplicationFactor,
                Configs = new() { ["max.message.bytes"] = KafkaClients.NewTopicRecordBytes.ToString(CultureInfo.InvariantCulture) },
            }], new CreateTopicsOptions { RequestTimeout = KafkaClients.AnswerTimeout, ValidateOnly = isTrial });
            await KafkaClients.AnswerAsync(creation, cancellationToken);
        }
        catch (CreateTopicsException e) when (!isTrial && e.Results.Single().Error.Code == ErrorCode.TopicAlreadyExists)
        {
            // Another instance was faster.
        }
        catch (CreateTopicsException e) when (e.Results.Single().Error.Code == ErrorCode.TopicAlreadyExists)
        {
            throw new PipelineException(FailureAction.Stop,
                $"Topic '{kafka.Topic}' is there, and this user may not describe it.",
                $"Grant it DESCRIBE: kafka-acls --bootstrap-server {kafka.Brokers} --add --allow-principal "
                + $"User:{kafka.SaslUsername ?? "..."} --topic {kafka.Topic} --operation Describe", e);
        }
        catch (CreateTopicsException e)
        {
            var error = e.Results.Single().Error;
            var isRefusal = error.Code
                is ErrorCode.TopicAuthorizationFailed or ErrorCode.ClusterAuthorizationFailed or ErrorCode.InvalidReplicationFactor;
            var verdict = new FailureVerdict(
                isRefusal ? FailureAction.Stop : FailureAction.Retry,
                $"Topic '{kafka.Topic}' cannot be created ({error.Reason}).",
                "Create it by hand, or correct kafka.partitions and kafka.replication_factor.");
            throw new PipelineException(verdict with { Kind = $"creation: {error.Code}" }, e);
        }
    }

    private async Task<TopicDescription> DescribeByNameAsync(IAdminClient admin, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < 50; attempt++)
        {
            var metadata = await KafkaClients.AskAsync(
                turn => admin.GetMetadata(kafka.Topic, turn), KafkaClients.AnswerTimeout, cancellationToken);
            var topic = metadata.Topics.SingleOrDefault(t => t.Topic == kafka.Topic);
            if (topic is { Error.Code: ErrorCode.NoError, Partitions.Count: > 0 })
                return new TopicDescription(new TopicIdentity(ClusterId: "", kafka.Topic, TopicId: null), topic.Partitions.Count, NotTold);
            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
        }
        throw new PipelineException(
            FailureAction.Retry, $"Topic '{kafka.Topic}' is not there.", "Create it, or let the brokers create topics by themselves.");
    }

    // Uuid.ZERO: what a broker that keeps no ids answers.
    private static bool IsNoId(string id) => id.Trim('A', '=') is "";
}
