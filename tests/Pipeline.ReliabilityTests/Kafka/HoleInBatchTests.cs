using Confluent.Kafka;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>A trigger leaves records out in the middle of a batch: they are read back, wherever the hole is (invariant 3).</summary>
public sealed class HoleInBatchTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>Rows of a page, about.</summary>
    private const int PageRows = 20;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public enum Hole { InsideAPage, BeginningOfAPage, OverAPagesEnd, WholePage, SeveralPages, OverForeignRecords, OneForeignRecord }

    public static TheoryData<Hole, bool, string> Cases
    {
        get
        {
            var cases = new TheoryData<Hole, bool, string>();
            foreach (var hole in Enum.GetValues<Hole>())
            {
                foreach (var lived in new[] { false, true }) cases.Add(hole, lived, "transactions");
                cases.Add(hole, true, "frames");
            }
            return cases;
        }
    }

    /// <summary>By a storer that has stored the first records already, and by one that is new.</summary>
    [Theory, MemberData(nameof(Cases))]
    public async Task what_a_delivered_batch_leaves_out_is_read_back(Hole hole, bool lived, string delivery)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: options => CrashStream.By(delivery, options with
        {
            Kafka = options.Kafka with { Partitions = 1 },
            Postgres = options.Postgres with { PageBytes = PageRows * 150 },
        }));
        for (var window = 0; window < 4; window++)
        {
            await stream.ExecuteAsync(
                $"INSERT INTO items (id, name) SELECT i, repeat('x', 80) FROM generate_series({window * 50 + 1}, {window * 50 + 50}) i");
            await stream.DrainAsync();
            await WriteForeignAsync(stream, window);
        }
        var records = stream.TakeNewRecords();
        if (lived) await stream.Instance.StoreAsync([.. records.Take(5)]);

        var (from, count) = PlaceOf(hole, records);
        await stream.Instance.StoreAsync([.. records.Take(from), .. records.Skip(from + count)]);

        // A fence is no row.
        Assert.Equal(
            records.Where(r => !Has(r, StreamHeader.Fence)).Select(r => (r.Partition, r.Offset)), stream.Lake.Positions());
        await stream.NewestShouldEqualTableAsync();
    }

    /// <summary>A leader that is only just elected may know of less than was delivered, for a moment.</summary>
    [Fact]
    public async Task an_end_before_what_was_delivered_is_not_the_partitions_end()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: options => options with { Kafka = options.Kafka with { Partitions = 1 } });
        await stream.DrainAsync();
        await WriteForeignAsync(stream, 1);
        var reader = new TopicReader(stream.Options);
        var end = (await reader.EndsAsync(1, Cancellation))[0];

        await using var range = reader.ReadDeliveredAsync(0, 0, end + 1, Cancellation).GetAsyncEnumerator(Cancellation);
        StreamRecord last;
        do
        {
            Assert.True(await range.MoveNextAsync());
            last = range.Current;
        }
        while (last.Offset < end - 1);
        // It waits by blocking.
        var next = Task.Run(() => range.MoveNextAsync().AsTask(), Cancellation);
        await WriteForeignAsync(stream, 2);
        Assert.True(await next);
        Assert.Equal(end, range.Current.Offset);
    }

    private static (int From, int Count) PlaceOf(Hole hole, IReadOnlyList<StreamRecord> records)
    {
        var begins = Places(records, r => Has(r, StreamHeader.Page));
        var ends = Places(records, r => Has(r, StreamHeader.PageEnd));
        var foreign = Places(records, r => r.Headers is null or { Count: 0 } && r.Key!.Length == 1 && r.Key[0] == 'f');
        return hole switch
        {
            Hole.InsideAPage => (begins[3] + 1, 2),
            Hole.BeginningOfAPage => (begins[3], 2),
            Hole.OverAPagesEnd => (ends[3] - 2, 5),
            Hole.WholePage => (begins[4], ends[4] - begins[4] + 1),
            Hole.SeveralPages => (begins[2] + 1, ends[6] - begins[2]),
            Hole.OverForeignRecords => (foreign[0] - 2, foreign[2] - foreign[0] + 4),
            Hole.OneForeignRecord => (foreign[3], 1),
            _ => throw new ArgumentOutOfRangeException(nameof(hole)),
        };
    }

    private static List<int> Places(IReadOnlyList<StreamRecord> records, Func<StreamRecord, bool> isSo) =>
        [.. Enumerable.Range(0, records.Count).Where(i => isSo(records[i]))];

    private static bool Has(StreamRecord record, string header) => record.Headers?.Any(h => h.Name == header) == true;

    /// <summary>Another producer's records, three one behind the other: rows of keys that the table has, as old as they can be.</summary>
    private async Task WriteForeignAsync(TestStream stream, int window)
    {
        using var foreign = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = kafka.Brokers })
            .SetLogHandler((_, _) => { }).Build();
        var id = 1000 + window;
        await stream.ExecuteAsync($"INSERT INTO items VALUES ({id}, 'foreign', '2020-01-01Z')");
        for (var i = 0; i < 3; i++)
            await foreign.ProduceAsync(
                new TopicPartition(stream.Options.Kafka.Topic, 0),
                new Message<byte[], byte[]>
                {
                    Key = "f"u8.ToArray(),
                    Value = System.Text.Encoding.UTF8.GetBytes(
                        $$"""{"id":{{id}},"name":"foreign","updated_at":"2020-01-01T00:00:00.000000Z"}"""),
                },
                Cancellation);
    }
}
