using System.Collections.Immutable;
using System.Globalization;
using System.Net.Sockets;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Doctor;

/// <summary>The brokers, under the names by which they tell others to find them, and the topic.</summary>
internal sealed class TopicCheck(PipelineOptions options, TopicAdmin admin, FindingList findings)
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(10), ConnectTimeout = TimeSpan.FromSeconds(3);

    private readonly KafkaOptions kafka = options.Kafka;

    /// <returns>What the brokers are; null: they cannot be asked.</returns>
    public async Task<ClusterDescription?> RunAsync(CancellationToken cancellationToken)
    {
        var cluster = await findings.TryAsync(
            "kafka", () => admin.DescribeClusterAsync(AnswerTimeout, cancellationToken), cancellationToken);
        if (cluster is null)
        {
            findings.Unknown("topic", "the topic was not looked at", "let Kafka be reached first");
            return null;
        }
        findings.Good("kafka", $"{cluster.Brokers} broker{(cluster.Brokers == 1 ? "" : "s")} at {kafka.Brokers}, "
            + (cluster.Version is { } version ? $"protocol {version}" : "which tell no version"));
        foreach (var address in cluster.Addresses) await ConnectAsync(address, cancellationToken);
        JudgeTransactions(cluster);
        if (cluster.Partitions is { } partitions) await JudgeTopicAsync(partitions, cancellationToken);
        else await JudgeCreationAsync(cluster, cancellationToken);
        return cluster;
    }

    internal async Task ConnectAsync(string address, CancellationToken cancellationToken)
    {
        var colon = address.LastIndexOf(':');
        using var client = new TcpClient();
        using var expiry = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        expiry.CancelAfter(ConnectTimeout);
        try
        {
            await client.ConnectAsync(
                address[..colon].Trim('[', ']'), int.Parse(address[(colon + 1)..], CultureInfo.InvariantCulture), expiry.Token);
            findings.Good("advertised name", $"{address} can be reached from here");
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            var why = e is SocketException socket ? $"{socket.SocketErrorCode}" : "no answer";
            findings.Fail("advertised name",
                $"a broker advertises itself as {address}, and that cannot be reached from here ({why}): what it leads cannot be read or "
                + "written",
                "correct its advertised.listeners, or let the name be resolved and the port be reached");
        }
    }

    private void JudgeTransactions(ClusterDescription cluster)
    {
        if (!kafka.IsTransactional) findings.Good("delivery", "frames: no transactions are asked of the brokers");
        else if (cluster.TransactionMax is { } max && max < TimeSpan.FromSeconds(kafka.TransactionTimeout))
            findings.Fail("delivery",
                $"the brokers allow no transaction longer than {max.TotalSeconds:0} s (transaction.max.timeout.ms), and "
                + $"kafka.transaction_timeout is {kafka.TransactionTimeout} s",
                $"kafka.transaction_timeout: {Math.Max(5, (int)max.TotalSeconds)}");
        else findings.Good("delivery", $"transactions of up to {kafka.TransactionTimeout} s");
    }

    private async Task JudgeTopicAsync(int partitions, CancellationToken cancellationToken)
    {
        findings.Good("topic", $"{kafka.Topic} has {partitions} partitions");
        if (!kafka.BrokerTellsTopicIds) return;
        var topic = await findings.TryAsync(
            "topic", async () => await admin.FindAsync(cancellationToken) ?? throw new PipelineException(
                FailureAction.Retry, $"Topic '{kafka.Topic}' is not there.", "Look again: it was there just now."), cancellationToken);
        if (topic is { Settings: { } settings }) JudgeSettings(settings);
        var missing = await findings.TryAsync("topic rights", () => admin.MissingRightsAsync(cancellationToken), cancellationToken);
        if (missing is null) return;
        if (missing.Of is null) findings.Unknown("topic rights", "the brokers do not tell what this user may do", "try it: run --once");
        else if (missing.Of.Value.IsEmpty) findings.Good("topic rights", "this user may describe, read and write the topic");
        else findings.Fail("topic rights",
            $"this user may not {string.Join(", ", missing.Of)} topic '{kafka.Topic}'",
            $"kafka-acls --bootstrap-server {kafka.Brokers} --add --allow-principal User:{kafka.SaslUsername ?? "..."} "
            + $"--topic {kafka.Topic} " + string.Join(' ', missing.Of.Value.Select(right => $"--operation {right}")));
    }

    private void JudgeSettings(TopicSettings settings)
    {
        if (settings.RefusalOf(kafka) is { } refusal) findings.Fail("topic settings", refusal);
        else if (settings.WhyUnknown is null)
            findings.Add("topic settings", settings.Warnings(kafka), "what is acknowledged is kept until it is stored: " + Kept(settings));
        if (settings.WhyUnknown is { } why)
            findings.Unknown(
                "topic settings", $"they cannot be asked ({why})", $"grant this user DESCRIBE_CONFIGS on topic '{kafka.Topic}'");
    }

    private static string Kept(TopicSettings settings) =>
        string.Join(", ", new[] { "cleanup.policy", "retention.ms", "max.message.bytes" }
            .Where(settings.Values.ContainsKey).Select(name => $"{name} {settings.Values[name]}"));

    private async Task JudgeCreationAsync(ClusterDescription cluster, CancellationToken cancellationToken)
    {
        if (!kafka.BrokerTellsTopicIds) return;
        if (kafka.ReplicationFactor > cluster.Brokers)
            findings.Fail("topic",
                $"{kafka.Topic} is not there, and cannot be made with kafka.replication_factor {kafka.ReplicationFactor}: there are "
                + $"{cluster.Brokers} brokers", $"kafka.replication_factor: {cluster.Brokers}");
        else if (await findings.TryAsync("topic", () => admin.TryCreationAsync(cancellationToken), cancellationToken) is not null)
            findings.Good("topic", $"{kafka.Topic} is not there yet, and is made at the first start with {kafka.Partitions} partitions of "
                + $"{kafka.ReplicationFactor} replica{(kafka.ReplicationFactor == 1 ? "" : "s")}");
    }
}
