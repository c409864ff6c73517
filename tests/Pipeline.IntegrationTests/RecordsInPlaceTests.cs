using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using OrdersStream.Hosting.Loops;
using OrdersStream.Kafka;
using OrdersStream.Kafka.Native;
using OrdersStream.Rows;
using OrdersStream.Store;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// Records are sent and received in place where the client's package is as it is known here, else by its ordinary calls: that is a matter
/// of speed, and of nothing that can be seen in the topic or the lake.
/// </summary>
public sealed partial class RecordsInPlaceTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int LastId = 2_500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task topic_and_lake_are_the_same_by_the_ordinary_calls()
    {
        var inPlace = await StreamAsync(inPlace: true);
        var ordinary = await StreamAsync(inPlace: false);

        Assert.Equal(inPlace.Topic, ordinary.Topic);
        Assert.Equal(inPlace.Lake, ordinary.Lake);
        Assert.Equal(inPlace.Quarantine, ordinary.Quarantine);
        // The topic had all that is to be told apart: pages, rows, and records of others.
        Assert.InRange(inPlace.Topic.Count(r => r.Contains(StreamHeader.Position, StringComparison.Ordinal)), 20, 500);
        Assert.Equal(LastId + 1, inPlace.Lake.Count);
        Assert.Equal(LastId - 1_000, inPlace.Lake.Count(r => r.EndsWith("|noted", StringComparison.Ordinal)));
        Assert.Equal(5, inPlace.Quarantine.Count);
    }

    [Fact]
    public async Task each_record_is_read_the_same_and_without_an_allocation_where_the_package_is_known()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await InsertAsync(stream, 1, LastId);
        await stream.PollAsync();
        await SendForeignAsync(stream);

        var (inPlace, received, allocated) = Read(stream, inPlace: true);
        var (ordinary, consumed, allocatedByClient) = Read(stream, inPlace: false);

        Assert.Equal(ordinary.Order(), inPlace.Order());
        Assert.Equal(LastId + 6, inPlace.Count);
        // Those that were waited for are the client's own.
        Assert.InRange(received, LastId / 2, LastId);
        Assert.InRange(allocated, 0, received);
        Assert.InRange(allocatedByClient, 100 * consumed, long.MaxValue);
    }

    /// <summary>What was taken already is of before.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task who_goes_on_elsewhere_in_a_partition_reads_nothing_of_what_had_come_of_it(bool inPlace)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Kafka = o.Kafka with { RecordsInPlace = inPlace } });
        await InsertAsync(stream, 1, 100);
        await stream.PollAsync();
        using var consumer = new LakeConsumer(stream.Options, clientId: null, () => { }, _ => 0, (_, _) => { });
        consumer.Take([0]);
        Next();
        var first = consumer.Offset;
        // All has come, its end too.
        while (!consumer.IsPartitionEnd) Next();
        consumer.Seek(0, first);
        Next();
        Assert.Equal(first, consumer.Offset);
        consumer.Seek(0, first + 5);
        Next();
        Assert.Equal((first + 5, false), (consumer.Offset, consumer.IsPartitionEnd));

        void Next()
        {
            if (!consumer.TryNext()) Assert.True(consumer.WaitNext(Patience));
        }
    }

    /// <summary>
    /// Captures rows in many pages with records of others between them, and stores them: what is there, and then what comes.
    /// </summary>
    private async Task<(List<string> Topic, List<string> Lake, List<string> Quarantine)> StreamAsync(bool inPlace)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: o => o with
        {
            Postgres = o.Postgres with { PageBytes = 8 * 1024 },
            Kafka = o.Kafka with { RecordsInPlace = inPlace },
        });
        await InsertAsync(stream, 1, 1_000);
        await stream.DrainAsync();
        await SendForeignAsync(stream);
        // From here on the first records of a page name another schema.
        await stream.ExecuteAsync("ALTER TABLE items ADD note text; ALTER TABLE items ALTER note SET DEFAULT 'noted'");
        await InsertAsync(stream, 1_001, 2_000);
        await stream.DrainAsync();
        await using var run = new TestRun(stream.Options, TimeProvider.System, stream.Log);
        await run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation);
        await StoreWhatComesAsync(stream, run);

        var texts = stream.Dump().Records.OrderBy(r => (r.Partition, r.Offset)).Select(r => OfOneDatabase().Replace(Text(r), "")).ToList();
        // Pages are numbered from the clock on.
        var first = texts.SelectMany(t => Numbers().Matches(t)).Select(m => NumberOf(m)).Where(PageFence.IsNumber).Min();
        var topic = texts.Select(t => Numbers().Replace(t, Numbered));
        var lake = stream.Lake.Rows($"SELECT _partition, _offset, id, name, note FROM {stream.Lake.Source} ORDER BY 1, 2");
        var quarantine = stream.Lake.QuarantineLines
            .Select(l => Numbers().Replace(l.Replace(stream.Options.Kafka.Topic, "", StringComparison.Ordinal), Numbered));
        return ([.. topic], [.. lake.Select(r => string.Join('|', r))], [.. quarantine.Order(StringComparer.Ordinal)]);

        string Numbered(Match m) => PageFence.IsNumber(NumberOf(m)) ? $"first+{NumberOf(m) - first}" : m.Value;
    }

    private static long NumberOf(Match match) => long.Parse(match.ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\b[1-9][0-9]{14,16}\b")]
    private static partial Regex Numbers();

    /// <summary>As a member of the group, where the broker has groups.</summary>
    private async Task StoreWhatComesAsync(TestStream stream, TestRun run)
    {
        using var stop = new CancellationTokenSource();
        var rows = 0L;
        run.Stream.Store.Stored = batch => Interlocked.Add(ref rows, batch.Rows);
        var storing = run.UntilStoppedAsync(PipelineHalf.KafkaToLake, kafka.IsReal ? null : [0, 1, 2, 3], stop.Token, Cancellation);
        await InsertAsync(stream, 2_001, LastId);
        await stream.DrainAsync();
        await Waiting.UntilAsync(() => Interlocked.Read(ref rows) == LastId - 2_000, storing, () => $"{rows} rows were stored");
        await stop.CancelAsync();
        await storing.WaitAsync(Patience, Cancellation);
    }

    // Small rows, and some that are large enough to count as such.
    private static Task InsertAsync(TestStream stream, int first, int last) => stream.ExecuteAsync(
        $"""
        INSERT INTO items (id, name)
        SELECT i, CASE WHEN i % 500 = 7 THEN repeat('x', 100000) WHEN i % 10 > 0 THEN 'name ' || i END
        FROM generate_series({first}, {last}) i
        """);

    /// <summary>A row with headers of its own, and five records that are no rows: one of them lacks but the key.</summary>
    private async Task SendForeignAsync(TestStream stream)
    {
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = kafka.Brokers }).Build();
        await SendAsync(null, Row(9001));
        await SendAsync("9002", Row(9002), new Header("of-another", null), new Header("é", [0]));
        await SendAsync("9003", null);
        await SendAsync("9004", "");
        await SendAsync("", "not json");
        await SendAsync(null, null);

        Task SendAsync(string? key, string? value, params Header[] headers)
        {
            var message = new Message<byte[], byte[]>
            {
                Key = Bytes(key)!, Value = Bytes(value)!, Headers = [],
                Timestamp = new Timestamp(1_767_225_600_000, TimestampType.CreateTime),
            };
            foreach (var header in headers) message.Headers.Add(header);
            return producer.ProduceAsync(new TopicPartition(stream.Options.Kafka.Topic, 0), message, Cancellation);
        }

        static string Row(int id) => $$"""{"id":{{id}},"name":"of another","updated_at":"2026-01-01T00:00:00.000000Z"}""";
        static byte[]? Bytes(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text);
    }

    /// <summary>Reads the topic to its end.</summary>
    /// <returns>Every record; how many plain ones had come already, and what it took to step to them and see their value.</returns>
    private static (List<string> Records, long Came, long Allocated) Read(TestStream stream, bool inPlace)
    {
        using var consumer = new TopicReader(stream.Options).Build();
        using var reader = new RecordReader(consumer, stream.Options.Kafka with { RecordsInPlace = inPlace });
        consumer.Assign(Enumerable.Range(0, 4).Select(p => new TopicPartitionOffset(stream.Options.Kafka.Topic, p, Offset.Beginning)));
        var (records, came, allocated, ends) = (new List<string>(), 0L, 0L, 0);
        while (ends < 4)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var hasCome = reader.TryNext();
            if (hasCome && !reader.IsPartitionEnd && reader.IsPlain && reader.Value.Length > 0)
            {
                allocated += GC.GetAllocatedBytesForCurrentThread() - before;
                came++;
            }
            if (!hasCome && !reader.WaitNext(Patience)) Assert.Fail($"{records.Count} records, {ends} ends");
            if (reader.IsPartitionEnd) ends++;
            else records.Add(Text(reader.ToRecord()) + " at " + reader.ToRecord().TimestampMs.ToString(CultureInfo.InvariantCulture));
        }
        return (records, came, allocated);
    }

    private static string Text(StreamRecord record)
    {
        var headers = (record.Headers ?? []).Select(h => $"{h.Name}={Text(h.Value)}");
        return $"{record.Partition}/{record.Offset} {Text(record.Key)}: {Text(record.Value)} [{string.Join(", ", headers)}]";
    }

    /// <summary>What differs from one database to the next: when a row was written, a capture's position, whose page it is.</summary>
    [GeneratedRegex("""(?<="(?:updated_at|publisher|stream)":")[^"]*|(?<=position=)'[^']*'|(?<="before":{"timestamp":")[^"]*""")]
    private static partial Regex OfOneDatabase();

    private static string Text(byte[]? bytes) => bytes is null ? "null" : $"'{Encoding.UTF8.GetString(bytes)}'";
}
