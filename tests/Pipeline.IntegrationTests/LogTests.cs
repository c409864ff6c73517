using Confluent.Kafka;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Invariant 9: nothing that a row holds, and no secret, gets into a log or an error.</summary>
public sealed class LogTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Value = "a-value-of-a-row";

    [Fact]
    public async Task no_value_of_a_row_is_logged_on_the_way_to_the_lake()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id text PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now())",
            configure: o => o with { Postgres = o.Postgres with { PageBytes = 1024, Password = "the-secret-word" } });
        await stream.ExecuteAsync($"INSERT INTO items SELECT '{Value}' || i, '{Value}' FROM generate_series(1, 50) i");
        await stream.Instance.PollOnePageAsync();
        await stream.RestartAsync();
        await stream.DrainAsync();
        using (var foreign = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = kafka.Brokers }).Build())
            await foreign.ProduceAsync(new TopicPartition(stream.Options.Kafka.Topic, 0), new Message<byte[], byte[]>
            {
                Key = "a-value-of-a-row"u8.ToArray(), Value = "{\"id\": \"a-value-of-a-row\", \"a-value-of-a-row\": 1}"u8.ToArray(),
            }, TestContext.Current.CancellationToken);

        var stored = await stream.StoreAsync();

        Assert.Equal((50, 1), (stored.Rows, stored.Quarantined));
        Assert.NotEmpty(stream.Log.Lines);
        Assert.DoesNotContain(Value, stream.Log.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret-word", stream.Log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task no_value_of_a_row_is_in_the_error_of_a_row_that_cannot_be_carried()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id text PRIMARY KEY, names text[], updated_at timestamptz NOT NULL DEFAULT now())");
        await stream.ExecuteAsync($"INSERT INTO items VALUES ('{Value}', ARRAY[['{Value}'], ['{Value}']])");

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.DoesNotContain(Value, stop + stream.Log.ToString(), StringComparison.Ordinal);
    }
}
