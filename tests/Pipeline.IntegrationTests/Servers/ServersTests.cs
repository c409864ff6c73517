using Confluent.Kafka;
using Npgsql;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Servers;

/// <summary>What all other tests take for granted of the servers they run on.</summary>
public sealed class ServersTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task each_test_has_a_database_of_its_own()
    {
        await using var one = await postgres.CreateDatabaseAsync();
        await using var other = await postgres.CreateDatabaseAsync();
        await one.ExecuteAsync("CREATE TABLE t (id int)");

        Assert.Equal("t", await one.ScalarAsync<string>("SELECT to_regclass('t')::text"));
        Assert.Empty(await other.TextRowsAsync("SELECT 1::text FROM pg_class WHERE relname = 't'"));
    }

    [Fact]
    public async Task a_database_goes_with_its_prepared_transactions()
    {
        var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync("CREATE TABLE t (id int)");
        await database.ExecuteAsync("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left open'");

        await database.DisposeAsync();

        await using var another = await postgres.CreateDatabaseAsync();
        Assert.Equal(0, await another.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{database.Name}'"));
    }

    [Fact]
    public async Task the_blind_role_does_not_see_when_others_transactions_began()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var open = await database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()");

        Assert.Equal(1, await SeenBy(PostgresServer.PipelineRole));
        Assert.Equal(0, await SeenBy(PostgresServer.BlindRole));

        async Task<long> SeenBy(string role)
        {
            await using var session = await database.OpenSessionAsync();
            await session.ExecuteAsync($"SET ROLE {role}");
            await using var command = new NpgsqlCommand(
                "SELECT count(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", session);
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }

    [Fact]
    public void a_record_of_an_aborted_transaction_is_not_read()
    {
        kafka.RequireReal("records of aborted transactions stay hidden");
        var topic = "servers-" + Guid.NewGuid().ToString("N");
        using var producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = kafka.Brokers, TransactionalId = topic }).Build();
        producer.InitTransactions(Waiting.Patience);
        Produce("aborted", p => p.AbortTransaction());
        Produce("committed", p => p.CommitTransaction());

        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = kafka.Brokers, GroupId = topic, IsolationLevel = IsolationLevel.ReadCommitted, EnablePartitionEof = true,
        }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        var seen = new List<string>();
        while (consumer.Consume(Waiting.Patience) is { IsPartitionEOF: false } record) seen.Add(record.Message.Value);

        Assert.Equal(["committed"], seen);

        void Produce(string value, Action<IProducer<string, string>> end)
        {
            producer.BeginTransaction();
            producer.Produce(new TopicPartition(topic, 0), new Message<string, string> { Key = "k", Value = value });
            producer.Flush();
            end(producer);
        }
    }
}
