using System.Text;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Kafka;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Replay;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Replay;

/// <summary>Quarantined records go into the topic again, corrected, and each is then in one place.</summary>
public sealed class QuarantineReplayTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Row = """{"id":@,"name":"corrected","updated_at":"2026-01-01T00:00:00.000000Z"}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_corrected_record_counts_once_where_its_key_belongs_whoever_dies_and_hides_no_newer_row()
    {
        await using var stream = await PoisonedAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'newer', updated_at = clock_timestamp() WHERE id <= 10");
        await stream.DrainAsync();
        await stream.StoreAsync();
        var summary = await Stream(stream).Quarantine.SummarizeAsync(Token);
        Assert.Equal((40, 0), (summary.Records, summary.Replayed));
        Assert.Equal(40, summary.Causes.Sum(c => c.Partitions.Sum(p => p.Records)));
        Assert.All(summary.Causes, c => Assert.NotNull(c.Since));
        var rows = stream.Lake.Count();

        // It dies before anything is sent, and what was to be sent stays what it was.
        var file = await CorrectAsync(stream, Row);
        await Assert.ThrowsAsync<IOException>(() => 
            Stream(stream, point =>
            {
                if (point == CrashPoint.ReplayWritten) throw new IOException("crash");
            }).Quarantine.SendAsync(new RecordSelection(), file, Token));
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file, Token)).Replace("corrected", "otherwise"), Token);
        var sent = await Stream(stream).Quarantine.SendAsync(new RecordSelection(), file, Token);
        Assert.Equal((40, 40), (sent.Sent, sent.UnderWay));
        Assert.Equal(40, (await Stream(stream).Quarantine.SendAsync(new RecordSelection(), file, Token)).UnderWay);

        var arrived = stream.TakeNewRecords().Where(r => r.Headers!.Any(h => h.Name == StreamHeader.Replay)).ToList();
        Assert.Equal(80, arrived.Count);
        var partitions = stream.Options.Kafka.Partitions;
        Assert.All(arrived, r => Assert.Equal(DefaultPartitioner.Partition(r.Key!, partitions), r.Partition));
        foreach (var some in arrived.Chunk(7)) await stream.Instance.StoreAsync(some);

        Assert.Equal(rows + 40, stream.Lake.Count());
        var after = await Stream(stream).Quarantine.SummarizeAsync(Token);
        Assert.Equal((0, 40), (after.Records, after.Replayed));
        // Of rows 1 to 10 the lake has what was captured behind the poison, of 11 to 40 what was corrected.
        await stream.NewestShouldEqualTableAsync("id <= 10");
        Assert.Equal("30", stream.Lake.Rows(
            $"SELECT count(*) FROM (FROM {stream.Lake.Source} QUALIFY row_number() "
            + "OVER (PARTITION BY id ORDER BY _version DESC, _offset DESC) = 1) WHERE name = 'corrected'")[0][0]);
        Assert.Equal(2, await ReplayAllAsync(stream));
    }

    [Fact]
    public async Task what_is_no_row_as_it_is_stays_and_is_told_without_its_value()
    {
        await using var stream = await PoisonedAsync();
        var refused = (await Stream(stream).Quarantine.SendAsync(new RecordSelection("missing"), null, Token)).Refused;
        Assert.Equal(40, refused.Length);
        Assert.All(refused, r => Assert.DoesNotContain("secret", r.Why, StringComparison.Ordinal));
        Assert.Equal(40, (await Stream(stream).Quarantine.SummarizeAsync(Token)).Records);
        var shown = await Stream(stream).Quarantine.ShowAsync(new RecordSelection(Partition: 0), asJson: false, Token);
        Assert.Contains(shown, line => line.Contains("secret", StringComparison.Ordinal));
    }

    /// <summary>Forty rows, and behind each a record of its key that is none, wherever another partitioner puts it.</summary>
    private async Task<TestStream> PoisonedAsync()
    {
        var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'first' FROM generate_series(1, 40) i");
        await stream.DrainAsync();
        var config = new ProducerConfig { BootstrapServers = kafka.Brokers };
        using var producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        for (var id = 1; id <= 40; id++)
            await producer.ProduceAsync(
                new TopicPartition(stream.Options.Kafka.Topic, id % stream.Options.Kafka.Partitions),
                new Message<byte[], byte[]>
                {
                    Key = Encoding.UTF8.GetBytes($"{id}"), Value = Encoding.UTF8.GetBytes($$"""{"id":{{id}},"name":"secret"}"""),
                },
                Token);
        await stream.StoreAsync();
        return stream;
    }

    private static async Task<string> CorrectAsync(TestStream stream, string row)
    {
        var file = Path.Combine(stream.Options.Streaming.CheckpointLocation, "corrected.jsonl");
        var lines = (await Stream(stream).Quarantine.ShowAsync(new RecordSelection(), asJson: true, Token)).Select(line =>
        {
            var record = JsonNode.Parse(line)!;
            record["value"] = row.Replace("@", record["key"]!.GetValue<string>(), StringComparison.Ordinal);
            return record.ToJsonString();
        }).ToList();
        await File.WriteAllLinesAsync(file, lines, Token);
        return file;
    }

    private static PipelineStream Stream(TestStream stream, Action<CrashPoint>? onReached = null) =>
        TestRun.NewStream(stream.Options, TimeProvider.System, stream.Log, new CrashPoints(onReached));

    private static Task<int> ReplayAllAsync(TestStream stream) => QuarantineVerbs.ReplayAsync(
        new QuarantineOptions(stream.Options, new RecordSelection(), Json: false, LogLevel.Warning), null, Token);
}
