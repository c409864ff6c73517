using System.Text.Json;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using OrdersStream.Store;
using OrdersStream.UnitTests.Lake;

namespace OrdersStream.UnitTests.Store;

/// <summary>A lake and its checkpoint in a folder of their own, and what stands in them.</summary>
internal sealed class TestLake : IDisposable
{
    private readonly TempFolder folder = new();

    // One for all instances: whoever listens looks at each series that was ever made and not disposed of.
    private readonly PipelineMetrics metrics = new(new PipelineOptions());

    public TestLake() => new SchemaStore(Checkpoint).Write(TestTopic.Orders);

    public TestTopic Topic { get; } = new();
    public TestTime Time { get; } = new();
    public TestLog Log { get; } = new();
    public DatalakeOptions Datalake { get; set; } = new();
    public KafkaOptions Kafka { get; set; } = new();
    public Func<CancellationToken, Task<TableSchema>>? PresentSchema { get; set; }
    public string Root => folder["lake"];
    public string Checkpoint => folder["checkpoint"];

    public string PartitionLog(int partition) => Path.Combine(Checkpoint, "commits", Topic.Identity.TopicId!, partition.ToString());

    /// <summary>What was said of gaps that were read from Kafka.</summary>
    public IEnumerable<string> Gaps =>
        Log.Lines.Select(l => l.Text).Where(t => t.EndsWith("what lies between is read from Kafka", StringComparison.Ordinal));

    /// <summary>A process: knows only what the folders say.</summary>
    public KafkaToLake NewInstance(Action<CrashPoint>? onReached = null) => NewInstance(new CrashPoints(onReached));

    /// <param name="crashPoints">Of the process.</param>
    /// <param name="around">What becomes of each operation on the lake and its commit log; null: nothing.</param>
    public KafkaToLake NewInstance(CrashPoints crashPoints, Action<bool>? around = null) => new(
        new PipelineOptions
        {
            Datalake = Datalake with { Path = Root },
            Kafka = Kafka,
            Streaming = new StreamingOptions { CheckpointLocation = Checkpoint },
        },
        new StoreSurroundings(
            _ => Task.FromResult(Topic.Access), _ => Task.FromResult(Topic.Ends), PresentSchema,
            location => around is null
                ? new LakeFolder(location, crashPoints)
                : new FaultyFiles(new LakeFolder(location, crashPoints)) { Around = around },
            _ => Task.FromResult<IReadOnlyList<HiddenEnd>>([])),
        Time, crashPoints, metrics, Log);

    public async Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records)
    {
        using var lake = NewInstance();
        return await lake.StoreAsync(records, CancellationToken.None);
    }

    /// <summary>Where a consumer of the partition would begin.</summary>
    public async Task<long> NextOffsetAsync(int partition)
    {
        using var instance = NewInstance();
        return await (await instance.OpenBatchAsync(CancellationToken.None)).NextOffsetAsync(partition, CancellationToken.None);
    }

    /// <summary>Every (partition, offset) that a reader finds, in rows and in quarantine, sorted; doubled ones twice.</summary>
    public async Task<List<(int Partition, long Offset)>> StoredAsync()
    {
        var found = new List<(int, long)>();
        var store = new SchemaStore(Checkpoint);
        var lake = new LakeFolder(Root);
        foreach (var file in LakeReader.Files(lake))
            await foreach (var row in new LakeReader(lake, store.Read).ReadAsync(file, CancellationToken.None))
                found.Add((row.Partition, row.Offset));
        found.AddRange(Quarantined().Select(q => (q.GetProperty("partition").GetInt32(), q.GetProperty("offset").GetInt64())));
        found.Sort();
        return found;
    }

    /// <summary>Key and version of each row that a reader finds, sorted.</summary>
    public async Task<List<(long Id, long Version)>> VersionsAsync()
    {
        var found = new List<(long, long)>();
        var files = new LakeFolder(Root);
        var store = new SchemaStore(Checkpoint);
        foreach (var file in LakeReader.Files(files))
            await foreach (var row in new LakeReader(files, store.Read).ReadAsync(file, CancellationToken.None))
                found.Add((row.Row.Cells[0].Bits, row.Version));
        found.Sort();
        return found;
    }

    public IEnumerable<JsonElement> Quarantined()
    {
        var quarantine = Path.Combine(Root, "_quarantine");
        return Directory.Exists(quarantine)
            ? Directory.EnumerateFiles(quarantine, "*.jsonl").Where(f => Path.GetFileName(f)[0] != '.')
                .SelectMany(File.ReadAllLines).Select(l => JsonElement.Parse(l))
            : [];
    }

    /// <summary>All of the topic is in the lake, each record once.</summary>
    public async Task AssertStoredOnceAsync() =>
        Assert.Equal(Topic.All.Select(r => (r.Partition, r.Offset)).Order(), await StoredAsync());

    /// <summary>Where the lake says whose it is.</summary>
    public string OwnerFile => Path.Combine(Root, "_orders_stream.json");

    /// <summary>Relative paths of the lake's files but for that one, hidden ones too.</summary>
    public List<string> Files() => Directory.Exists(Root)
        ? [.. new DirectoryInfo(Root).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 })
            .Where(f => f.FullName != OwnerFile && f.Name != LakeOwner.LogFileName)
            .Select(f => Path.GetRelativePath(Root, f.FullName).Replace('\\', '/')).Order(StringComparer.Ordinal)]
        : [];

    public void Dispose()
    {
        metrics.Dispose();
        folder.Dispose();
    }

    public static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}

/// <summary>Stands for the end of a process: nothing handles it.</summary>
internal sealed class CrashException : Exception;
