using OrdersStream.Configuration;
using OrdersStream.IntegrationTests.LocalHost;
using OrdersStream.IntegrationTests.Servers;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Status;

namespace OrdersStream.IntegrationTests.Status;

public sealed class StatusReaderTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task before_the_first_run_there_is_nothing_and_no_problem()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        var status = await ReadAsync(pipeline);
        Assert.Null(status.Capture);
        Assert.Empty(status.Problems);
        Assert.Empty(status.Warnings);
        Assert.Equal(0, status.Lake.Rows);
        Assert.False(Directory.Exists(pipeline.Options.Streaming.CheckpointLocation));
    }

    [Fact]
    public async Task what_waits_in_kafka_is_lag_and_what_is_stored_is_not()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await run.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        var published = await ReadAsync(pipeline);
        Assert.NotNull(published.Capture?.CapturedUpTo);
        // Each page leaves one transaction marker in each partition that it wrote to.
        Assert.InRange(published.Lag!.Value, 24, 24 + pipeline.Options.Kafka.Partitions);

        await run.OnceAsync(PipelineHalf.KafkaToLake, Token);
        var stored = await ReadAsync(pipeline);
        Assert.Equal((24, 0, 0), (stored.Lake.Rows, stored.Lag, stored.Lake.Quarantined));
        Assert.Equal(published.Capture! with { LagSeconds = null }, stored.Capture! with { LagSeconds = null });
    }

    [Fact]
    public async Task a_role_that_cannot_see_other_sessions_is_warned_of()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.Database.ExecuteAsync($"GRANT SELECT ON t_orders TO {PostgresServer.BlindRole}");
        await using var blind = Changed(pipeline, o => o with { Postgres = o.Postgres with { User = PostgresServer.BlindRole } });
        var status = await blind.Get<StatusReader>().ReadAsync(Token);
        Assert.Contains(status.Warnings, w => w.Contains("pg_read_all_stats", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_server_that_is_down_leaves_the_rest_readable()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await using var run = Changed(pipeline, o => o with { Postgres = o.Postgres with { Host = "127.0.0.1", Port = 1 } });
        var status = await run.Get<StatusReader>().ReadAsync(Token);
        Assert.Contains("Postgres", Assert.Single(status.Problems));
        Assert.Equal((24, 0), (status.Lake.Rows, status.Lag));
    }

    private static async Task<PipelineStatus> ReadAsync(TestPipeline pipeline)
    {
        await using var run = pipeline.Run();
        return await run.Get<StatusReader>().ReadAsync(Token);
    }

    private static PipelineRun Changed(TestPipeline pipeline, Func<PipelineOptions, PipelineOptions> change) =>
        new(change(pipeline.Options), TimeProvider.System, new OrdersStream.LocalHost.CommandLine.LineLogger(Microsoft.Extensions.Logging.LogLevel.None, TimeProvider.System, _ => { }, colours: false));
}
