using Confluent.Kafka;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Durable;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Status;
using OrdersStream.Store;
using OrdersStream.TestKit;
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
        Assert.Equal(Health.Unknown, status.Health);
        Assert.All(status.Halves, half => Assert.Equal((HalfState.Nobody, Health.Unknown), (half.State, half.Health)));
        Assert.All(status.Halves, half => Assert.Contains("nobody runs it, and nobody has", half.Says));
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
        await UntilRecordsWaitAsync(pipeline, 24);
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
        var status = await blind.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Contains(status.Warnings, w => w.Contains("pg_read_all_stats", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_server_that_is_down_leaves_the_rest_readable()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await using var run = pipeline.Run(o => o with { Postgres = o.Postgres with { Host = "127.0.0.1", Port = 1 } });
        var status = await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Equal(
            "Postgres cannot be reached (ConnectionRefused, at 127.0.0.1:1). Check postgres.host and postgres.port, and that the server "
            + "runs.",
            Assert.Single(status.Problems));
        Assert.Equal((24, 0), (status.Lake.Rows, status.Lag));
        Assert.Equal((Health.Wrong, false, true), (status.Health, status.Source.Reachable, status.Topic.Reachable));
    }

    [Fact]
    public async Task of_a_server_that_answers_and_lets_nobody_in_nothing_is_told()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run(o => o with { Postgres = o.Postgres with { Db = "there_is_none" } });
        var status = await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Equal((true, null), (status.Source.Reachable, status.Source.Version));
        Assert.Contains("The database does not exist", Assert.Single(status.Problems));
        Assert.Contains("poller unknown", StatusText.Of(status));
    }

    [Fact]
    public async Task what_is_well_is_called_well_with_both_servers_versions()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var status = await ReadAtWorkAsync(pipeline);
        Assert.Equal(Health.Well, status.Health);
        Assert.All(status.Halves, half => Assert.Equal((HalfState.Running, Health.Well), (half.State, half.Health)));
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
    public async Task rows_that_wait_for_a_capture_that_nobody_runs_are_wrong_and_so_is_a_topic_that_nobody_stores()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET item = item WHERE order_id = 1");
        var status = await ReadAsync(pipeline);
        Assert.Equal(Health.Wrong, status.Health);
        Assert.Equal(
            [(HalfState.Nobody, Health.Wrong), (HalfState.Nobody, Health.Unknown)], status.Halves.Select(h => (h.State, h.Health)));
        Assert.Contains("ended at", status.Halves[0].Says);
        Assert.EndsWith("Start it: 'run', or 'run --only postgres-to-kafka'.", status.Halves[0].Says);

        await using var run = pipeline.Run();
        await run.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        await UntilRecordsWaitAsync(pipeline, 1);
        status = await ReadAsync(pipeline);
        Assert.Equal((HalfState.Nobody, Health.Wrong), (status.Halves[1].State, status.Halves[1].Health));
        Assert.InRange(status.Halves[1].LagSeconds!.Value, 0, double.MaxValue);
        Assert.Contains("records wait in the topic. Start it: 'run', or 'run --only kafka-to-lake'.", status.Halves[1].Says);
        await run.OnceAsync(null, Token);
        Assert.Equal(Health.Well, (await ReadAtWorkAsync(pipeline)).Health);
    }

    /// <summary>The table shows nothing of them.</summary>
    [Fact]
    public async Task deletes_that_wait_for_a_capture_that_nobody_runs_are_wrong()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        Assert.Equal(Health.Unknown, (await ReadAsync(pipeline)).Halves[0].Health);
        await pipeline.Database.ExecuteAsync("DELETE FROM t_orders WHERE order_id = 1");
        var capturing = (await ReadAsync(pipeline)).Halves[0];
        Assert.Equal((HalfState.Nobody, Health.Wrong), (capturing.State, capturing.Health));
    }

    /// <summary>What had been published when it ended may have been given the ids of what was written since.</summary>
    [Fact]
    public async Task behind_a_restart_of_the_server_ids_do_not_tell_that_nothing_waits()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var horizon = new WatermarkFile(pipeline.Options).Read()!.Horizon!;
        Assert.False(await SourceObservation.HasMoreAsync(pipeline.Options, horizon, Token));
        Assert.Null(await SourceObservation.HasMoreAsync(
            pipeline.Options, horizon with { ServerStarted = horizon.ServerStarted.AddHours(-1) }, Token));
    }

    [Fact]
    public async Task what_the_audit_found_is_told_with_its_age_and_is_wrong_where_nobody_mends_it()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        Assert.Null((await ReadAtWorkAsync(pipeline)).Audit);

        var file = new AuditStateFile(pipeline.Options, CrashPoints.None);
        var anHourAgo = TimeProvider.System.GetUtcNow().AddHours(-1);
        var equal = new AuditFindings(anHourAgo, anHourAgo, 24, 20, 4, 0, 0, 0, 0, 0, 0);
        file.Write(new AuditState(equal));
        var status = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, "20 rows were compared, and lake and table are equal"), (status.Health, status.Audit!.Says));
        Assert.InRange(status.Audit.AgeSeconds, 3_600, 7_200);

        // Deletes are not captured; what is published again needs nobody.
        var mended = equal with { Equal = 17, Missing = 1, Stale = 2, Extra = 5, Requested = 3 };
        file.Write(new AuditState(mended, FailedAt: anHourAgo, Failure: "x y."));
        status = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, 3), (status.Health, status.Audit!.Differences));
        Assert.Contains("1 were missing and 2 stale in the lake, 5 were extra", string.Join('\n', status.Warnings));
        Assert.Contains(status.Warnings, w => w.EndsWith("broken off: x y.", StringComparison.Ordinal));

        foreach (var found in new[]
        {
            equal with { Missing = 1, Requested = 0 }, equal with { Stale = 1, Requested = 1, Unmended = 1 },
            equal with { StoredTwice = 1 },
        })
        {
            file.Write(new AuditState(found));
            status = await ReadAtWorkAsync(pipeline);
            Assert.Equal(Health.Wrong, status.Health);
            Assert.StartsWith("Lake and table differed when they were compared at", Assert.Single(status.Problems));
        }
        foreach (var state in new[]
        {
            new AuditState(mended) { DifferingRounds = 2 },
            new AuditState(equal with { Extra = 9 }) { DeletesHeld = HeldDeletes.EmptyTable },
        })
        {
            file.Write(state);
            status = await ReadAtWorkAsync(pipeline);
            Assert.Equal(Health.Wrong, status.Health);
            Assert.Contains(state.DeletesHeld?.Why ?? "in 2 rounds one after the other", Assert.Single(status.Problems));
        }

        // Nobody would ever find it mended.
        await using var off = pipeline.Run(
            o => o with { Audit = o.Audit with { Enabled = "false" }, Status = o.Status with { LagMax = 3_600 } });
        using var halves = off.BothAtWork();
        status = await off.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Equal((Health.Well, null), (status.Health, status.Audit));
    }

    [Fact]
    public async Task an_audit_that_never_ends_a_round_is_told_and_after_a_day_nothing_is_known()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var file = new AuditStateFile(pipeline.Options, CrashPoints.None);
        var now = TimeProvider.System.GetUtcNow();
        file.Write(new AuditState(null, FailedAt: now, Failure: "x y."));
        var status = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, null), (status.Health, status.Audit));
        Assert.Contains("audit: the first round was broken off: x y.", status.Warnings);

        file.Write(new AuditState(null, FailedAt: now.AddDays(-2), Failure: "x y."));
        status = await ReadAtWorkAsync(pipeline);
        Assert.Equal(Health.Unknown, status.Health);
        Assert.StartsWith(
            "Lake and table were never compared: no round of the audit has come to its end since. x y.", Assert.Single(status.Problems));
    }

    [Fact]
    public async Task what_waits_for_longer_than_is_allowed_is_wrong_though_somebody_is_at_it()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await run.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        await UntilRecordsWaitAsync(pipeline, 24);
        var later = new ShiftedTime();
        later.Shift(TimeSpan.FromMinutes(1));
        // A second, and the ten intervals for which a backlog is collected.
        await using var strict = pipeline.Run(o => o with { Status = o.Status with { LagMax = 1 } }, time: later);
        using var halves = strict.BothAtWork();
        var storing = (await strict.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Halves[1];
        Assert.Equal((HalfState.Running, Health.Wrong), (storing.State, storing.Health));
        Assert.InRange(storing.LagSeconds!.Value, 11, double.MaxValue);
        await using var patient = pipeline.Run(o => o with { Status = o.Status with { LagMax = 3_600 } }, time: later);
        Assert.Equal(Health.Well, (await patient.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Halves[1].Health);
    }

    [Fact]
    public async Task a_half_that_fails_in_another_process_is_wrong_with_its_cause()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await using var run = pipeline.Run();
        using var half = run.Stream.Begin(nameof(KafkaToLake));
        run.Stream.NewOutage(half).Failed(new IOException("no space", 28));
        var storing = (await ReadAsync(pipeline)).Halves[1];
        Assert.Equal((HalfState.Retrying, Health.Wrong), (storing.State, storing.Health));
        Assert.Contains("The disk is full. Make room", storing.Says);
    }

    [Fact]
    public async Task a_lake_that_is_away_is_wrong_and_nothing_is_counted()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var lake = pipeline.Options.Datalake.Path;
        Directory.Move(lake, lake + "-away");
        foreach (var isMounted in new[] { false, true })
        {
            if (isMounted) Directory.CreateDirectory(lake);
            var status = await ReadAtWorkAsync(pipeline);
            Assert.Equal((Health.Wrong, false, null), (status.Health, status.Lake.Reachable, status.Lag));
            Assert.StartsWith("The lake's volume went away: ", Assert.Single(status.Problems));
        }
        Directory.Delete(lake);
        Directory.Move(lake + "-away", lake);
        Assert.Equal(Health.Well, (await ReadAtWorkAsync(pipeline)).Health);
    }

    [Fact]
    public async Task a_commit_log_that_is_gone_is_wrong_and_nothing_is_guessed_until_the_files_have_told()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        Directory.Delete(Path.Combine(pipeline.Options.Streaming.CheckpointLocation, "commits"), recursive: true);
        var status = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Wrong, false, null), (status.Health, status.Lake.Reachable, status.Lag));
        Assert.StartsWith("The commit log is gone: ", Assert.Single(status.Problems));
        // The remedy, followed. The log that is made from the files does not know of what Kafka wrote behind their last records.
        await pipeline.OnceAsync();
        var after = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, 24, 0), (after.Health, after.Lake.Rows, after.Lag));
    }

    [Fact]
    public async Task a_commit_log_that_goes_while_it_is_used_is_wrong_until_a_start()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var run = pipeline.Run())
        {
            using var stop = new CancellationTokenSource();
            var running = run.UntilStoppedAsync(null, [0, 1, 2, 3], stop.Token, Token);
            // A page may be stored in more than one batch.
            await Waiting.UntilAsync(
                async () => await ReadAsync(pipeline) is { Health: Health.Well, Lag: 0, Lake.Rows: 24 }, running, () => "it is not well");
            Directory.Delete(Path.Combine(pipeline.Options.Streaming.CheckpointLocation, "commits"), recursive: true);
            var status = await ReadAsync(pipeline);
            Assert.Equal(Health.Wrong, status.Health);
            // Who stores may have noticed it first, and have made it anew before it was looked for.
            if (status.Halves[1].State != HalfState.Retrying)
                Assert.Contains(status.Problems, p => p.StartsWith("The commit log is gone: ", StringComparison.Ordinal));
            await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
            await stop.CancelAsync();
            await running.WithPatienceAsync("both halves");
        }
        await pipeline.OnceAsync();
        var after = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, 48, 0), (after.Health, after.Lake.Rows, after.Lag));
    }

    [Fact]
    public async Task a_watermark_file_that_is_gone_leaves_it_untold_how_far_capture_is()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        File.Delete(Path.Combine(pipeline.Options.Streaming.LastProcessedTimestampLocation, "watermark.json"));
        var status = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Unknown, 24), (status.Health, status.Lake.Rows));
        Assert.StartsWith("The watermark file ", Assert.Single(status.Problems));
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await pipeline.OnceAsync();
        var after = await ReadAtWorkAsync(pipeline);
        Assert.Equal((Health.Well, 48), (after.Health, after.Lake.Rows));
    }

    [Fact]
    public async Task a_topic_that_is_deleted_is_wrong()
    {
        kafka.RequireReal("a topic is deleted");
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.Brokers }).Build();
        await admin.DeleteTopicsAsync([pipeline.Options.Kafka.Topic]);
        PipelineStatus status = null!;
        await Waiting.UntilAsync(
            async () => (status = await ReadAtWorkAsync(pipeline)).Topic.Exists is false, null, () => "the topic is still there");
        Assert.Equal((Health.Wrong, null), (status.Health, status.Lag));
        Assert.StartsWith(
            $"Topic '{pipeline.Options.Kafka.Topic}' is not there any more, or this user may not describe it. If the user lost that right,",
            Assert.Single(status.Problems));
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
        var status = await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Equal((Health.Wrong, "The disk is full."), (status.Health, Assert.Single(status.Failures).Problem));
        journal.Succeeded(nameof(KafkaToLake));
        using var halves = run.BothAtWork();
        Assert.Equal(Health.Well, (await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token)).Health);
    }

    /// <summary>With both halves at work, and as much time as they may need.</summary>
    private static async Task<PipelineStatus> ReadAtWorkAsync(TestPipeline pipeline)
    {
        await using var run = pipeline.Run(
            o => o with { Audit = o.Audit with { Enabled = "true" }, Status = o.Status with { LagMax = 3_600 } });
        using var halves = run.BothAtWork();
        return await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
    }

    /// <summary>A commit is acknowledged before its end shows in every partition.</summary>
    private static Task UntilRecordsWaitAsync(TestPipeline pipeline, int records) => Waiting.UntilAsync(
        async () => (await ReadAsync(pipeline)).Lag >= records, null, () => $"fewer than {records} records wait");

    private static async Task<PipelineStatus> ReadAsync(TestPipeline pipeline)
    {
        await using var run = pipeline.Run();
        return await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
    }
}
