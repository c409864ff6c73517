using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What a batch needs of its surroundings: the topic, the lake and the commit log beside it, and those who write there.</summary>
internal sealed class StoreContext
{
    private readonly TopicCommits commits;
    private readonly string writerPrefix;
    private readonly string processId = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    private long commitsOfProcess;

    /// <exception cref="PipelineException">The checkpoint belongs to another topic.</exception>
    public StoreContext(
        PipelineOptions options, TopicAccess topic, LakeOwner owner, LakeNotices notices, StoreSurroundings surroundings, TimeProvider time,
        CrashPoints crashPoints, PipelineMetrics metrics, ILogger logger)
    {
        (Options, Topic, Logger, Time, CrashPoints, Metrics) = (options.Datalake, topic, logger, time, crashPoints, metrics);
        Owner = owner;
        Lake = surroundings.OpenFiles(options.Datalake.Path);
        var checkpoint = surroundings.OpenFiles(options.Streaming.CheckpointLocation);
        commits = TopicCommits.Open(checkpoint, topic.Identity);
        SchemaStore = new SchemaStore(options.Streaming.CheckpointLocation, crashPoints, options.StreamName);
        Names = new FinalNames(Lake, owner);
        Bounds = new TopicBounds(topic, owner.Begins, options.Kafka.Compacted, time, logger);
        Schemas = new SchemaFinder(topic, SchemaStore, surroundings.PresentSchemaAsync, time, logger);
        writerPrefix = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(commits.Name)))[..8];
        Folders = FolderName.Of(Lake, options.Datalake.PartitionBy, options.Datalake.FolderName);
        (Notices = notices).LookAt(Lake, Folders);
        Recovery = new LogRecovery(Lake, writerPrefix, topic.Identity, Bounds.RestAtAsync, time, logger);
        Leftovers = new LeftoverFiles(Lake, checkpoint, writerPrefix, commits, time, logger);
    }

    public DatalakeOptions Options { get; }

    public TopicAccess Topic { get; }
    public ILogger Logger { get; }
    public TimeProvider Time { get; }
    public CrashPoints CrashPoints { get; }
    public PipelineMetrics Metrics { get; }

    /// <summary>Where the data files lie.</summary>
    public ILakeFiles Lake { get; }

    /// <summary>Whether it is there, and whose it is.</summary>
    public LakeOwner Owner { get; }

    /// <summary>How the folders of the lake are named.</summary>
    public FolderName Folders { get; }

    public LakeNotices Notices { get; }

    public SchemaStore SchemaStore { get; }
    public FinalNames Names { get; }
    public TopicBounds Bounds { get; }
    public SchemaFinder Schemas { get; }
    public LogRecovery Recovery { get; }
    public LeftoverFiles Leftovers { get; }

    public StoredPartition NewStoredPartition(int partition) =>
        new(partition, commits.LogOf(partition, Time, CrashPoints), Names, CrashPoints);

    /// <summary>Names one commit and its temporary files, and no other's.</summary>
    public string NewWriterId() =>
        string.Create(CultureInfo.InvariantCulture, $"{writerPrefix}-{processId}-{Interlocked.Increment(ref commitsOfProcess)}");

    /// <summary>
    /// A failure of the file system, whose text names files of the lake,
    /// without the values that folders are named by (invariant 9).
    /// </summary>
    public Exception WithoutValues(Exception failure) => LakePath.WithoutValues(failure, Lake.Locate(""));
}
