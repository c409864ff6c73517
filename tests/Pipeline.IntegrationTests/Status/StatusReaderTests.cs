using OrdersStream.Hosting.Loops;
using OrdersStream.Status;
using OrdersStream.Store;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

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
        await using var blind = pipeline.Run(o => o with { Postgres = o.Postgres with { User = PostgresServer.BlindRole } });
        var status = await blind.Stream.Status.ReadAsync(Token);
        Assert.Contains(status.Warnings, w => w.Contains("pg_read_all_stats", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_server_that_is_down_leaves_the_rest_readable()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await using var run = pipeline.Run(o => o with { Postgres = o.Postgres with { Host = "127.0.0.1", Port = 1 } });
        var status = await run.Stream.Status.ReadAsync(Token);
        Assert.Equal(
            "Postgres cannot be reached (ConnectionRefused). Check postgres.host and postgres.port, and that the server runs.",
            Assert.Single(status.Problems));
        Assert.Equal((24, 0), (status.Lake.Rows, status.Lag));
        Assert.Equal((Health.Wrong, false, true), (status.Health, status.Source.Reachable, status.Topic.Reachable));
    }

    [Fact]
    public async Task what_is_well_is_called_well_with_both_servers_versions()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var status = await ReadAsync(pipeline);
        Assert.Equal(Health.Well, status.Health);
        Assert.Equal((true, true, true), (status.Source.Reachable, status.Topic.Reachable, status.Lake.Reachable));
        Assert.Equal(await pipeline.Database.ScalarAsync<string>("SELECT current_setting('server_version')"), status.Source.Version);
        Assert.Equal((true, 1), (status.Topic.Exists, status.Topic.BrokerCount));
        if (kafka.IsReal) Assert.Matches(@"^\d+\.\d+", status.Topic.Version);
        Assert.Equal(24, status.Capture!.RowsPublished);
        Assert.True(status.Source.CaptureIsExact);
    }

    [Fact]
    public async Task the_newest_files_are_told_with_their_rows_and_sizes()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var status = await ReadAsync(pipeline);
        Assert.Equal(Math.Min(10, status.Lake.Files), status.Lake.NewestFiles.Length);
        Assert.All(
            status.Lake.NewestFiles, f => Assert.Equal(new FileInfo(Path.Combine(pipeline.Options.Datalake.Path, f.Path)).Length, f.Bytes));
        Assert.Equal(
            status.Lake.NewestFiles.OrderByDescending(f => f.CommittedAt).Select(f => f.Path), status.Lake.NewestFiles.Select(f => f.Path));
    }

    [Fact]
    public async Task an_initial_load_in_progress_is_told_with_what_is_left()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.Database.ExecuteAsync("ANALYZE t_orders");
        await using var slow = pipeline.Run(o => o with { Postgres = o.Postgres with { PageBytes = 1_024 } });
        var poll = await slow.Stream.Capture.PollAsync(TimeSpan.Zero, Token);
        Assert.False(poll.WindowDone);

        var window = (await ReadAsync(pipeline)).Capture!.Window!;
        Assert.Equal(("initial load", 1, poll.Rows, 24L), (window.Kind, window.Pages, window.Rows, window.RowsExpected));
        Assert.Equal((double)poll.Rows / 24, window.Progress!.Value, 6);
        Assert.Equal((24 - poll.Rows) / window.RowsPerSecond!.Value, window.SecondsLeft!.Value, 3);
    }

    [Fact]
    public async Task the_session_that_holds_the_pollers_lock_is_named()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        Assert.Null((await ReadAsync(pipeline)).Source.Poller);
        await using var polling = pipeline.Run(o => o with { Postgres = o.Postgres with { ApplicationName = "the poller" } });
        await polling.Stream.Capture.PollAsync(TimeSpan.FromMinutes(1), Token);
        Assert.Equal("the poller", (await ReadAsync(pipeline)).Source.Poller?.Application);
    }

    [Fact]
    public async Task the_oldest_open_transaction_is_told_and_so_is_a_prepared_one()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        Assert.Null((await ReadAsync(pipeline)).Source.OldestTransaction);
        await using (var session = await pipeline.Database.OpenSessionAsync())
        {
            await session.ExecuteAsync(
                "BEGIN; SET LOCAL application_name = 'slow client'; UPDATE t_orders SET item = item WHERE order_id = 1");
            var open = (await ReadAsync(pipeline)).Source.OldestTransaction!;
            Assert.Equal(("open", session.ProcessID, "slow client"), (open.Kind, open.Pid, open.Application));
            await session.ExecuteAsync("PREPARE TRANSACTION 'status test'");
        }
        var prepared = (await ReadAsync(pipeline)).Source.OldestTransaction!;
        Assert.Equal(("prepared", null), (prepared.Kind, prepared.Pid));
    }

    [Fact]
    public async Task lag_is_zero_while_nothing_was_committed_since_and_not_once_something_was()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await run.OnceAsync(null, Token);
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET item = item WHERE order_id = 1");
        var behind = await ReadAsync(pipeline);
        Assert.True(behind.Capture!.LagSeconds > 0);
        await run.OnceAsync(null, Token);
        Assert.True((await ReadAsync(pipeline)).Capture!.CapturedUpTo > behind.Capture.CapturedUpTo);
    }

    [Fact]
    public async Task another_table_under_the_same_name_is_wrong()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync(
            "CREATE TABLE other (LIKE t_orders INCLUDING ALL); DROP TABLE t_orders; ALTER TABLE other RENAME TO t_orders; "
            + $"GRANT SELECT ON t_orders TO {PostgresServer.PipelineRole}");
        var status = await ReadAsync(pipeline);
        Assert.Equal((Health.Wrong, true), (status.Health, status.Source.Reachable));
        Assert.Contains("belongs to", Assert.Single(status.Problems));
    }

    [Fact]
    public async Task without_a_poller_what_waits_is_warned_of()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET item = item WHERE order_id = 1");
        Assert.Contains((await ReadAsync(pipeline)).Warnings, w => w.StartsWith("nothing captures the table", StringComparison.Ordinal));
    }

    [Fact]
    public async Task with_kafka_down_something_is_wrong_and_the_rest_is_told()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await using var run = pipeline.Run(o => o with { Kafka = o.Kafka with { Brokers = "127.0.0.1:1" } });
        var status = await run.Stream.Status.ReadAsync(Token);
        Assert.Equal((Health.Wrong, true, false), (status.Health, status.Source.Reachable, status.Topic.Reachable));
        Assert.Equal(24, status.Lake.Rows);
        Assert.Null(status.Lag);
        Assert.Contains("Kafka", Assert.Single(status.Problems));
    }

    [Fact]
    public async Task a_state_file_that_cannot_be_read_leaves_it_untold_whether_all_is_well()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        File.WriteAllText(
            Directory.GetFiles(pipeline.Options.Streaming.LastProcessedTimestampLocation, "watermark.json", SearchOption.AllDirectories)
                .Single(),
            "{");
        var status = await ReadAsync(pipeline);
        Assert.Equal((Health.Unknown, 24), (status.Health, status.Lake.Rows));
        Assert.Contains("watermark", Assert.Single(status.Problems));
    }

    [Fact]
    public async Task trouble_that_goes_on_is_wrong_and_trouble_that_is_over_is_not()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await run.OnceAsync(null, Token);
        var journal = run.Stream.Failures;
        journal.Failed(nameof(KafkaToLake), OrdersStream.Diagnostics.FailurePolicy.Judge(new IOException("no space", 28)));
        var status = await run.Stream.Status.ReadAsync(Token);
        Assert.Equal((Health.Wrong, "The disk is full."), (status.Health, Assert.Single(status.Failures).Problem));
        journal.Succeeded(nameof(KafkaToLake));
        Assert.Equal(Health.Well, (await run.Stream.Status.ReadAsync(Token)).Health);
    }

    private static async Task<PipelineStatus> ReadAsync(TestPipeline pipeline)
    {
        await using var run = pipeline.Run();
        return await run.Stream.Status.ReadAsync(Token);
    }
}
