using Confluent.Kafka;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// Behind a transaction that stays open, each position names the transactions that were seen already; and a page has records in each of
/// many partitions. Neither may make little into much (invariant 7).
/// </summary>
public sealed class ManySeenTransactionsTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int Seen = 90_000;
    private const int Partitions = 256;
    private const int RowBytes = 100;

    [Fact]
    public async Task a_position_that_names_ninety_thousand_transactions_is_no_burden_to_256_partitions()
    {
        kafka.RequireReal("a topic of 256 partitions with the limit that brokers have by themselves");
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await MakeTopicAsync(stream.Options.Kafka.Topic);
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items (id, name) VALUES (0, 'open')");
        // Each its own id; those between, which are rolled back, leave holes, so that the ids are no range.
        await stream.ExecuteAsync(
            $$"""
            DO $do$ BEGIN FOR i IN 1..{{Seen}} LOOP
                BEGIN INSERT INTO items (id) VALUES (i); EXCEPTION WHEN division_by_zero THEN END;
                IF random() < 0.5 THEN
                    BEGIN INSERT INTO items (id) VALUES (-1); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN END;
                END IF;
            END LOOP; END $do$
            """);
        await stream.DrainAsync();
        await stream.StoreAsync();

        for (var window = 0; window < 3; window++)
        {
            await stream.ExecuteAsync(
                $"UPDATE items SET name = repeat('{window}', {RowBytes}), updated_at = clock_timestamp() WHERE id BETWEEN 1 AND 4000");
            await stream.DrainAsync();
            var records = stream.TakeNewRecords();
            Assert.Equal(4000, records.Count);
            Assert.InRange(records.Sum(BytesOf), 0, 3_000_000);
            await stream.Instance.StoreAsync(records);
        }

        await stream.RestartAsync();
        await open.ExecuteAsync("COMMIT");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    private static long BytesOf(StreamRecord record) =>
        record.Key!.Length + record.Value!.Length + (record.Headers ?? []).Sum(h => h.Name.Length + h.Value!.Length);

    /// <summary>By hand: with the brokers' own limit to a record, a megabyte.</summary>
    private async Task MakeTopicAsync(string topic)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.Brokers }).Build();
        await admin.CreateTopicsAsync([new() { Name = topic, NumPartitions = Partitions, ReplicationFactor = 1 }]);
    }
}
