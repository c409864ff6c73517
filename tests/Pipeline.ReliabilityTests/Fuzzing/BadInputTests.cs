using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Fuzzing;

/// <summary>
/// Whatever another producer writes between the rows, on a real broker: it is in quarantine whole, with its cause and its position, and the
/// rows before, between and behind it are in the lake.
/// </summary>
public sealed class BadInputTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Good = """{"id":7001,"name":"other","updated_at":"2026-03-01T00:00:00.000000Z"}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Key, value, and what the cause must say.</summary>
    private static readonly (byte[]? Key, byte[]? Value, string Cause)[] Bad =
    [
        (Bytes("k"), Bytes(""), "not a JSON object"),
        (Bytes("k"), Bytes("not json"), "not a JSON object"),
        (Bytes("k"), Bytes("17"), "not a JSON object"),
        (Bytes("k"), Bytes($"[{Good}]"), "not a JSON object"),
        (Bytes("k"), Bytes(Good[..^1]), "closing brace"),
        (Bytes("k"), Bytes(Good + Good), "follows"),
        (Bytes("k"), Bytes(Good.Replace("7001", "\"seven\"")), "\"id\": expected an integer"),
        (Bytes("k"), Bytes(Good.Replace("7001", "70000000000000000000")), "\"id\": expected an integer"),
        (Bytes("k"), Bytes(Good.Replace("7001", "null")), "\"id\""),
        (Bytes("k"), Bytes(Good.Replace("\"other\"", "{\"a\":1}")), "\"name\": expected a string"),
        (Bytes("k"), Bytes(Good.Replace("2026-03-01", "2026-02-30")), "\"updated_at\": expected a timestamp"),
        (Bytes("k"), Bytes(Good.Replace(",\"name\":\"other\"", "")), "\"name\": missing"),
        (Bytes("k"), Bytes(Good[..^1] + ",\"more\":1}"), "no column"),
        (Bytes("k"), Bytes(Good[..^1] + ",\"id\":7002}"), "\"id\": given twice"),
        (Bytes("k"), Bytes(new string('[', 100_000)), "not a JSON object"),
        (Bytes("k"), null, "no value"),
        (null, Bytes(Good), "no key"),
        (null, null, "no key"),
        (Bytes("k"), Encoding.Unicode.GetBytes(Good), "the name of member 1"),
        (Bytes("k"), [0xff, 0xfe, .. Encoding.Unicode.GetBytes(Good)], "not UTF-8"),
        (Bytes("k"), [0xef, 0xbb, 0xbf, .. Bytes(Good)], "not a JSON object"),
        (Bytes("k"), Encoding.Latin1.GetBytes(Good.Replace("other", "ä")), "not UTF-8"),
        (Bytes("k"), Bytes(Good.Replace("other", "\\ud800")), "\"name\""),
        (Bytes("k"), Bytes(Good.Replace("other", "a\nb")), "\"name\""),
        (Bytes("k"), Zipped(Good), "not UTF-8"),
        // As large as the topic takes, less what goes round it.
        (Bytes("k"), Bytes(new string('x', 12 * 1024 * 1024)), "not a JSON object"),
    ];

    [Fact]
    public async Task what_is_no_row_is_quarantined_with_its_cause_and_position_and_everything_else_goes_on()
    {
        kafka.RequireReal("a record may be as large as the topic allows");
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = 1 } });
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'row ' || i FROM generate_series(1, 50) i");
        var produced = new List<(TopicPartitionOffset At, byte[]? Key, byte[]? Value, string Cause)>();
        using var stop = new CancellationTokenSource();
        await using (var run = stream.NewRun())
        {
            var running = run.UntilStoppedAsync(null, [0, 1, 2, 3], stop.Token, Cancellation);
            await stream.UntilStoredAsync(50, running);
            var config = new ProducerConfig { BootstrapServers = kafka.Brokers, MessageMaxBytes = 16 * 1024 * 1024 };
            using (var other = new ProducerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).Build())
            {
                for (var i = 0; i < Bad.Length; i++)
                {
                    var (key, value, cause) = Bad[i];
                    if (i % 5 == 0)
                        await stream.ExecuteAsync(
                            $"INSERT INTO items (id, name) SELECT i, 'row ' || i FROM generate_series({51 + i}, {55 + i}) i");
                    var sent = await other.ProduceAsync(
                        new TopicPartition(stream.Options.Kafka.Topic, i % 4), new() { Key = key!, Value = value! }, Cancellation);
                    produced.Add((sent.TopicPartitionOffset, key, value, cause));
                }
            }
            await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'row ' || i FROM generate_series(101, 120) i");
            await UntilAsync(
                stream, running,
                () =>
                    stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE id = 120").Count == 1
                        && stream.Lake.QuarantineLines.Count >= Bad.Length);
            await stop.CancelAsync();
            await running.WithPatienceAsync("both halves");
        }

        await stream.NewestShouldEqualTableAsync();
        var lines = stream.Lake.QuarantineLines.Select(l => JsonElement.Parse(l))
            .ToDictionary(l => (l.GetProperty("partition").GetInt32(), l.GetProperty("offset").GetInt64()));
        Assert.Equal(produced.Count, lines.Count);
        foreach (var (at, key, value, cause) in produced)
        {
            var line = lines[(at.Partition.Value, at.Offset.Value)];
            Assert.Contains(cause, line.GetProperty("reason").GetString(), StringComparison.Ordinal);
            Assert.Equal(key, Held(line, "key_base64"));
            Assert.Equal(value, Held(line, "value_base64"));
        }
        // The log tells where, and why (invariant 8).
        Assert.Contains(
            stream.Log.Warnings, w => Regex.IsMatch(w, "quarantine") && w.Contains("not a JSON object", StringComparison.Ordinal));
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    private static Task UntilAsync(TestStream stream, Task running, Func<bool> condition) => stream.UntilAsync(
        condition, running, () => $"the lake has {stream.Lake.Count()} rows, quarantine {stream.Lake.QuarantineLines.Count}");

    private static byte[]? Held(JsonElement line, string name) =>
        line.GetProperty(name) is { ValueKind: JsonValueKind.String } held ? held.GetBytesFromBase64() : null;

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static byte[] Zipped(string text)
    {
        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest)) gzip.Write(Bytes(text));
        return zipped.ToArray();
    }
}
