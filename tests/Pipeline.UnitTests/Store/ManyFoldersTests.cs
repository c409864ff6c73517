using System.Text;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

/// <summary>They look at what the whole process holds: nothing else may run.</summary>
[CollectionDefinition(nameof(HeldMemoryTests), DisableParallelization = true)]
public sealed class HeldMemoryTests;

/// <summary>Invariant 7: memory does not grow with the folders that rows go to, nor with their columns.</summary>
[Collection(nameof(HeldMemoryTests))]
public sealed class ManyFoldersTests : IDisposable
{
    private const long MiB = 1024 * 1024;

    /// <summary>The least that a batch may hold.</summary>
    private const long Limit = 16 * MiB;

    /// <summary>Idle blocks and dictionaries, and what the runner of the tests holds.</summary>
    private const long Besides = 8 * MiB;
    private const int CutByFolders = 3015;

    private static readonly TableSchema Wide = new(
        [
            new Column("order_id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
            new Column("folder", new ColumnType(ColumnKind.Text, "text"), false),
            new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), false),
            .. Enumerable.Range(0, 60).Select(i => new Column($"text_{i}", new ColumnType(ColumnKind.Text, "text"), true)),
        ], [0], 2);

    private readonly TestLake lake = new();

    public ManyFoldersTests()
    {
        new SchemaStore(lake.Checkpoint).Write(Wide);
        lake.Datalake = lake.Datalake with { PartitionBy = "folder", BatchBytes = 8 * MiB, Compression = "none" };
    }

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task rows_of_many_folders_are_committed_in_parts_by_the_memory_that_they_hold()
    {
        var records = Produce(rows: 2_500, folders: 1_000);
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(CancellationToken.None);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var rows = new List<long>();
        foreach (var record in records)
        {
            await batch.AddAsync(record, CancellationToken.None);
            if (!batch.IsFull) continue;
            var held = GC.GetTotalMemory(forceFullCollection: true) - before;
            Assert.True(held < Limit + Besides, $"commit {rows.Count} holds {held:N0} bytes, and may hold {Limit:N0} and a little");
            rows.Add(batch.Records);
            await batch.CommitAsync(CancellationToken.None);
        }
        await batch.CommitAsync(CancellationToken.None);
        await lake.AssertStoredOnceAsync();
        // Of 60 columns with a value or two each, in arrays that are no larger than they must be.
        Assert.All(rows, r => Assert.InRange(r, 500, 800));
        var line = Assert.Single(lake.Log.Lines, l => l.Id == CutByFolders).Text;
        Assert.Matches("^rows of [0-9,]+ folders .* held 16 MiB .* with 1[.][0-9] rows each .*partition_by", line);
    }

    [Fact]
    public async Task rows_of_few_folders_are_committed_by_their_size()
    {
        lake.Datalake = lake.Datalake with { BatchBytes = 24 * MiB };
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(CancellationToken.None);
        foreach (var record in Produce(rows: 15_500, folders: 10))
        {
            await batch.AddAsync(record, CancellationToken.None);
            if (batch.IsFull) break;
        }
        Assert.True(batch.IsFull, $"{batch.Bytes:N0} bytes");
        Assert.InRange(batch.Bytes, 24 * MiB, 25 * MiB);
    }

    [Fact]
    public async Task a_batch_of_one_folder_leaves_no_arrays_that_shorten_the_next_of_many()
    {
        var few = Produce(rows: 4_000, folders: 1);
        var many = Produce(rows: 1_500, folders: 1_000);
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(CancellationToken.None);
        await AddUntilFullAsync(batch, few);
        await batch.CommitAsync(CancellationToken.None);
        var rows = await AddUntilFullAsync(batch, [.. few.Skip((int)(await batch.NextOffsetAsync(0, CancellationToken.None))), .. many]);
        Assert.InRange(rows, 400, 1_500);
    }

    private static async Task<int> AddUntilFullAsync(LakeBatch batch, IEnumerable<StreamRecord> records)
    {
        var rows = 0;
        foreach (var record in records)
        {
            await batch.AddAsync(record, CancellationToken.None);
            rows++;
            if (batch.IsFull) break;
        }
        return rows;
    }

    private List<StreamRecord> Produce(int rows, int folders) => lake.Topic.Page(0, rows, Wide, i => Row(i, i * 7 % folders));

    private static string Row(int id, int folder)
    {
        var row = new StringBuilder($$"""{"order_id":{{id}},"folder":"{{folder}}","updated_at":"2026-03-01T00:00:00.000000Z" """);
        for (var i = 0; i < 60; i++) row.Append($",\"text_{i}\":\"text {i} of row {id}\"");
        return row.Append('}').ToString();
    }
}
