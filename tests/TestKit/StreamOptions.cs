using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit;

/// <summary>
/// The configuration of a stream on shared servers of which nothing is shared: a topic, and so a group, of a name that nobody else has, and
/// every folder under one. The rest is as the product has it; whoever makes a stream says what is different.
/// </summary>
public static class StreamOptions
{
    /// <param name="login">Where the table is, and as whom it is read.</param>
    /// <param name="table">Its name as Postgres stores it.</param>
    /// <param name="kafka">The broker.</param>
    /// <param name="topicPrefix">How the topic's name begins.</param>
    /// <param name="folder">Where lake, commit log and position are to lie.</param>
    public static PipelineOptions For(
        NpgsqlConnectionStringBuilder login, string table, KafkaServer kafka, string topicPrefix, string folder) => new()
    {
        Postgres = new PostgresOptions
        {
            Host = login.Host!, Port = login.Port, Db = login.Database!, User = login.Username!, Password = login.Password, Table = table,
        },
        Kafka = new KafkaOptions { Brokers = kafka.Brokers, Topic = UniqueName.Of(topicPrefix), BrokerTellsTopicIds = kafka.IsReal },
        Datalake = new DatalakeOptions { Path = Path.Combine(folder, "lake") },
        Streaming = new StreamingOptions
        {
            CheckpointLocation = Path.Combine(folder, "checkpoint"),
            LastProcessedTimestampLocation = Path.Combine(folder, "lastprocess"),
        },
        // A round has sessions and lines of its own: it is for the tests that ask for it.
        Audit = new AuditOptions { Enabled = "false" },
    };
}

/// <summary>Names on shared servers and in shared folders.</summary>
internal static class UniqueName
{
    /// <param name="prefix">How it begins.</param>
    public static string Of(string prefix) => prefix + Guid.NewGuid().ToString("N")[..12];
}
