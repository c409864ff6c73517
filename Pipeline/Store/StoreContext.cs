using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What all batches of one process share: the topic, the folders, and the writers to them.</summary>
internal sealed class StoreContext
{
    private readonly TopicCommits commits;
    private readonly string writerPrefix;
    private readonly string processId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private long commitsOfProcess;

    /// <exception cref="PipelineException">The checkpoint belongs to another topic.</exception>
    public StoreContext(
        PipelineOptions options, TopicAccess topic, Func<CancellationToken, Task<TableSchema>>? presentSchema,
        TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics, ILogger logger)
    {
        Options = options.Datalake;
        Topic = topic;
        Logger = logger;
        Time = time;
        CrashPoints = crashPoints;
        Metrics = metrics;
        Root = Path.GetFullPath(options.Datalake.Path);
        var checkpoint = Path.GetFullPath(options.Streaming.CheckpointLocation);
        commits = TopicCommits.Open(checkpoint, topic.Identity, crashPoints);
        SchemaStore = new SchemaStore(checkpoint, crashPoints);
        Publisher = new FinalNames(Root, crashPoints);
        Bounds = new TopicBounds(topic, time, logger);
        Schemas = new SchemaFinder(topic, SchemaStore, presentSchema, time, logger);
        writerPrefix = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFileName(commits.Directory))))[..8];
        Recovery = new LogRecovery(Root, writerPrefix, topic.Identity, time, logger);
        Leftovers = new LeftoverFiles(Root, checkpoint, writerPrefix, commits, time, logger);
    }

    public DatalakeOptions Options { get; }
    public TopicAccess Topic { get; }
    public ILogger Logger { get; }
    public TimeProvider Time { get; }
    public CrashPoints CrashPoints { get; }
    public PipelineMetrics Metrics { get; }

    /// <summary>The lake's folder.</summary>
    public string Root { get; }

    public SchemaStore SchemaStore { get; }
    public FinalNames Publisher { get; }
    public TopicBounds Bounds { get; }
    public SchemaFinder Schemas { get; }
    public LogRecovery Recovery { get; }
    public LeftoverFiles Leftovers { get; }

    public StoredPartition NewStoredPartition(int partition) => new(partition, NewCommitLog(partition), Publisher, CrashPoints);

    /// <summary>Names one commit and its temporary files, and no other's.</summary>
    public string NewWriterId() => string.Create(CultureInfo.InvariantCulture, $"{writerPrefix}-{processId}-{Interlocked.Increment(ref commitsOfProcess)}");

    private CommitLog NewCommitLog(int partition) => new(commits.PartitionDirectory(partition), Topic.Identity, partition, Time, CrashPoints);
}
