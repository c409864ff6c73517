using System.Globalization;
using System.Text;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using OrdersStream.Store;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>What all who take part in a schedule share: table, topic, network, watermark file, lake; and its sizes.</summary>
internal sealed class ScheduleWorld
{
    private const string LakePath = "/lake";

    private static readonly PipelineMetrics Metrics = new(new PipelineOptions());

    private readonly MemoryFiles lake = new();
    private readonly MemoryFiles checkpoint = new();
    private readonly TestTime time = new();
    private readonly TestLog log = new();
    private readonly string schemas;
    private readonly List<byte[]> files = [];

    /// <param name="seed">Decides everything.</param>
    /// <param name="isTransactional">How pages are delivered.</param>
    /// <param name="schemas">A folder for the shapes of tables, which all schedules may share.</param>
    /// <param name="losesSeveral">Several partitions lose their ends at once, and others may fill them up.</param>
    public ScheduleWorld(int seed, bool isTransactional, string schemas, bool losesSeveral = false)
    {
        (IsTransactional, LosesSeveral, this.schemas) = (isTransactional, losesSeveral, schemas);
        Random = new Random(seed);
        Keys = Random.Next(2, 13);
        PageRowsMax = Random.Next(1, 10);
        RecordsBack = Random.Next(1, 9);
        PositionBytesEverywhere = Random.Next(4) == 0 ? 0 : 4096;
        LosesEnds = Random.Next(4) == 0 || losesSeveral;
        // Capture compares ends, and counts its own records only: others' would make up for what is lost.
        HasForeign = !LosesEnds && Random.Next(3) > 0;
        Broker = new SimulatedBroker(Random.Next(1, 4));
        Network = new Network(Broker);
    }

    public Random Random { get; }
    public bool IsTransactional { get; }
    public int Keys { get; }
    public int PageRowsMax { get; }
    public int RecordsBack { get; }
    public int PositionBytesEverywhere { get; }
    public bool LosesEnds { get; }
    public bool LosesSeveral { get; }
    public bool HasForeign { get; }
    public SimulatedTable Table { get; } = new();
    public SimulatedBroker Broker { get; }
    public Network Network { get; }

    /// <summary>Row versions of which a publisher knows that their page counts.</summary>
    public List<RowVersion> Published { get; } = [];

    /// <summary>The steps so far.</summary>
    public List<string> Steps { get; } = [];

    /// <summary>Each step takes a second.</summary>
    public DateTimeOffset Now => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddSeconds(Steps.Count);

    public IReadOnlyList<string> LogLines => [.. log.Lines.Select(l => l.Text)];

    public void Saw(string what) => Steps.Add(what);

    /// <summary>The watermark file; null: there is none.</summary>
    public byte[]? File { get; private set; }

    public void WriteFile(Watermark watermark) => files.Add(File = watermark.ToStateFile());

    /// <summary>The watermark file is lost, or put back from a backup.</summary>
    public string DamageFile()
    {
        if (files.Count == 0 || Random.Next(2) == 0)
        {
            File = null;
            return "the watermark file is lost";
        }
        var i = Random.Next(files.Count);
        File = files[i];
        return $"the watermark file is as it was {files.Count - 1 - i} writes ago";
    }

    /// <summary>
    /// The brokers may lose the half of a page, and its publisher write on before it hears of it: storing stops until a human accepts that,
    /// by the file that the message names. Capture sends again what was lost.
    /// </summary>
    public bool AcceptsLoss(string remedy)
    {
        const string Asked = "create the empty file '/memory/";
        var begins = remedy.IndexOf(Asked, StringComparison.Ordinal);
        if (!LosesEnds || begins < 0) return false;
        var path = remedy[(begins + Asked.Length)..];
        path = path[..path.IndexOf('\'')];
        Saw($"a human accepts: {path}");
        return checkpoint.SeenBy(CrashPoints.None, time).TryCreate(path, [], CrashPoint.CommitCreated);
    }

    public KafkaToLake NewStorer(CrashPoints crashPoints) => new(
        new PipelineOptions
        {
            Datalake = new DatalakeOptions { Path = LakePath },
            Streaming = new StreamingOptions { CheckpointLocation = schemas },
        },
        new StoreSurroundings(
            _ => Task.FromResult(Broker.Access),
            _ => Task.FromResult<IReadOnlyList<long>>([.. Enumerable.Range(0, Broker.Partitions).Select(Broker.End)]),
            _ => Task.FromResult(TestTopic.Orders),
            location => (location == LakePath ? lake : checkpoint).SeenBy(crashPoints, time),
            _ => Task.FromResult<IReadOnlyList<HiddenEnd>>([])),
        time, crashPoints, Metrics, log);

    /// <summary>Every row that a reader finds: its key, its status, its version and where it stood.</summary>
    public async Task<List<StoredRow>> RowsAsync()
    {
        var found = new List<StoredRow>();
        var files = lake.SeenBy(CrashPoints.None, time);
        foreach (var path in LakeReader.Files(files))
            await foreach (var row in new LakeReader(files, _ => TestTopic.Orders).ReadAsync(path, CancellationToken.None))
                found.Add(new StoredRow(
                    row.Row.Cells[0].Bits, Encoding.UTF8.GetString(row.Row.Bytes.Written.Slice(row.Row.Cells[1].Start,
                        row.Row.Cells[1].Length)),
                    row.Version, row.Partition, row.Offset));
        return found;
    }

    /// <summary>Every quarantined record: its value (its key, where it has none) and why.</summary>
    public List<(string Text, string Reason)> Quarantined()
    {
        var files = lake.SeenBy(CrashPoints.None, time);
        return
        [
            .. files.List("_quarantine").Where(f => f.EndsWith(".jsonl", StringComparison.Ordinal) && !f.Contains("/.",
                StringComparison.Ordinal))
                .SelectMany(f => Encoding.UTF8.GetString(files.Read(f)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                .Select(line => System.Text.Json.JsonElement.Parse(line))
                .Select(q => (
                    Text: Encoding.UTF8.GetString((q.GetProperty("value_base64").ValueKind == System.Text.Json.JsonValueKind.Null
                        ? q.GetProperty("key_base64") : q.GetProperty("value_base64")).GetBytesFromBase64()),
                    q.GetProperty("reason").GetString()!)),
        ];
    }

    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A row as a reader of the lake meets it.</summary>
internal readonly record struct StoredRow(long Key, string Status, long Version, int Partition, long Offset);
