using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting.Loops;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Audit;

public sealed class LakeComparisonTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_drained_lake_equals_the_table()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET order_status = 'CANCELLED' WHERE order_id < 5");
        await pipeline.OnceAsync();

        var compared = await CompareAsync(pipeline);
        Assert.Equal(ComparisonVerdict.Equal, compared.Verdict);
        Assert.Equal((24, 24, 24, 28), (compared.TableRows, compared.Equal, compared.LakeKeys, compared.LakeRows));
        Assert.Equal(0, compared.OnTheWay);
    }

    [Fact]
    public async Task what_changed_since_the_last_poll_is_on_the_way()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1 WHERE order_id <= 3");
        await pipeline.Database.ExecuteAsync(
            "INSERT INTO t_orders (customer_name, restaurant_name, item, amount) VALUES ('a', 'b', 'c', 1)");

        var compared = await CompareAsync(pipeline);
        Assert.Equal(ComparisonVerdict.Unknown, compared.Verdict);
        Assert.Equal((25, 21, 4), (compared.TableRows, compared.Equal, compared.OnTheWay));
    }

    /// <summary>By the ordering column; extra rows are not looked for, and a part without rows is no agreement.</summary>
    [Fact]
    public async Task a_part_of_the_table_is_compared_alone()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET item = item || '+' WHERE order_id <= 20");
        await pipeline.OnceAsync();
        var middle = await pipeline.Database.ScalarAsync<DateTime>("SELECT min(updated_at) FROM t_orders WHERE order_id <= 20");
        await pipeline.Database.ExecuteAsync("DELETE FROM t_orders WHERE order_id = 1");
        foreach (var file in Directory.GetFiles(pipeline.Options.Datalake.Path, "part-*", SearchOption.AllDirectories)) File.Delete(file);

        await using var run = pipeline.Run();
        var comparison = run.Stream.Comparison;
        var since = await comparison.CompareAsync(middle, null, null, Token);
        Assert.Equal((true, 19, 19, 0), (since.IsPart, since.TableRows, since.Missing, since.Extra));
        var before = await comparison.CompareAsync(null, middle, null, Token);
        Assert.Equal((ComparisonVerdict.Different, 4, 4), (before.Verdict, before.TableRows, before.Missing));
        var nothing = await comparison.CompareAsync(middle.AddDays(1), null, null, Token);
        Assert.Equal((ComparisonVerdict.Unknown, true), (nothing.Verdict, nothing.HasNothing));
    }

    [Fact]
    public async Task what_was_never_captured_is_not_called_equal()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var run = pipeline.Run()) await run.OnceAsync(PipelineHalf.KafkaToLake, Token);
        await pipeline.Database.ExecuteAsync("TRUNCATE t_orders");

        var compared = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Unknown, 0), (compared.Verdict, compared.TableRows));
    }

    [Fact]
    public async Task what_was_on_the_way_is_compared_when_capture_has_got_to_it()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        using var stop = new CancellationTokenSource();
        await using var run = pipeline.Run();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        var ranges = 0;
        // When the first range is done a row of the last one changes: the lake, as it was read, does not have it.
        var compared = await CompareAsync(pipeline, rangeRows: 10, onRange: () =>
        {
            if (ranges++ == 0)
                pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1 WHERE order_id = 24").GetAwaiter().GetResult();
        });
        await stop.CancelAsync();
        await running;

        Assert.Equal((ComparisonVerdict.Equal, 24, 0), (compared.Verdict, compared.Equal, compared.OnTheWay));
        // Three, and the last one again.
        Assert.True(ranges > 3, $"{ranges} ranges were read");
    }

    [Fact]
    public async Task a_row_that_capture_could_not_see_is_found_stale()
    {
        // Nobody else's transaction is open there: as long as one is, capture looks for what was written while the trigger changed.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var pipeline = await TestPipeline.CreateAsync(server, kafka);
        await pipeline.OnceAsync();
        await DisableTriggerAsync(pipeline);
        // Dated back behind the slack, as no client can with the trigger on.
        await pipeline.Database.ExecuteAsync(
            "UPDATE t_orders SET amount = 77, updated_at = updated_at - interval '1 day' WHERE order_id = 7");
        await pipeline.OnceAsync();
        await AdvanceHorizonAsync(pipeline);

        var compared = await CompareAsync(pipeline);
        Assert.Equal(ComparisonVerdict.Different, compared.Verdict);
        Assert.Equal((1, 0, 0, 0), (compared.Stale, compared.Missing, compared.Extra, compared.OnTheWay));
        Assert.Equal("7", Assert.Single(compared.Examples).Key);
    }

    [Fact]
    public async Task a_row_that_capture_could_not_see_at_all_is_found_missing()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var pipeline = await TestPipeline.CreateAsync(server, kafka);
        await pipeline.OnceAsync();
        await DisableTriggerAsync(pipeline);
        await pipeline.Database.ExecuteAsync(
            """
            INSERT INTO t_orders (order_id, customer_name, restaurant_name, item, amount, updated_at)
            VALUES (1000, 'a', 'b', 'c', 1, now() - interval '1 day')
            """);
        await AdvanceHorizonAsync(pipeline);

        var compared = await CompareAsync(pipeline);
        Assert.Equal((1, 0, 0, 0), (compared.Missing, compared.Stale, compared.Extra, compared.OnTheWay));
        Assert.Equal((RowDifference.Missing, "1000"), (compared.Examples.Single().Difference, compared.Examples.Single().Key));
    }

    [Fact]
    public async Task a_row_that_was_deleted_past_the_trigger_is_extra()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync(
            "ALTER TABLE t_orders DISABLE TRIGGER orders_stream_delete; DELETE FROM t_orders WHERE order_id IN (3, 4)");

        var compared = await CompareAsync(pipeline);
        Assert.Equal((2, 0, 0), (compared.Extra, compared.Missing, compared.Stale));
        Assert.All(compared.Examples, e => Assert.NotNull(e.Offset));
    }

    /// <summary>Not captured it is on its way, captured it is equal, and one that is there again is compared as any row.</summary>
    [Fact]
    public async Task a_deleted_row_is_no_difference()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync(
            "DELETE FROM t_orders WHERE order_id IN (3, 4); UPDATE t_orders SET order_id = 500 WHERE order_id = 5");
        var before = await CompareAsync(pipeline);
        Assert.Equal((0, 0, 0, 4), (before.Extra, before.Missing, before.Stale, before.OnTheWay));
        Assert.Equal(ComparisonVerdict.Unknown, before.Verdict);

        await pipeline.OnceAsync();
        var captured = await CompareAsync(pipeline);
        Assert.Equal((22, 22, 0, 0), (captured.TableRows, captured.Equal, captured.Extra, captured.OnTheWay));
        Assert.Equal(ComparisonVerdict.Equal, captured.Verdict);

        await pipeline.Database.ExecuteAsync(
            "INSERT INTO t_orders (order_id, customer_name, restaurant_name, item, amount) VALUES (3, 'a', 'b', 'c', 1)");
        await pipeline.OnceAsync();
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(pipeline)).Verdict);
    }

    [Fact]
    public async Task a_file_that_is_there_twice_is_noticed()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var (file, rows) = await FirstFileAsync(pipeline);
        File.Copy(file, file.Replace(".parquet", "-copy.parquet"));

        var compared = await CompareAsync(pipeline);
        Assert.Equal(rows, compared.StoredTwice);
        Assert.Equal(ComparisonVerdict.Different, compared.Verdict);
        // The remedy, followed.
        var named = Assert.Single(compared.Examples);
        Assert.Equal((RowDifference.StoredTwice, true), (named.Difference, named.Offset is not null));
        var name = Path.GetFileName(named.File!);
        var copy = Directory.GetFiles(pipeline.Options.Datalake.Path, name, SearchOption.AllDirectories).Single();
        File.Delete(copy);
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(pipeline)).Verdict);

        // And in the middle of a round.
        File.Copy(file, copy);
        var failure = await Assert.ThrowsAsync<PipelineException>(() => RoundAsync(pipeline, () =>
        {
            File.Delete(copy);
            return Task.CompletedTask;
        }));
        Assert.Contains("Files of the lake were moved or removed while they were compared", failure.Message);
        Assert.Equal(0, (await RoundAsync(pipeline, () => Task.CompletedTask)).Differences);
    }

    /// <summary>Readers that prune by folders do not find its rows.</summary>
    [Fact]
    public async Task a_file_in_a_folder_of_another_value_is_noticed()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        Assert.Equal(0, (await CompareAsync(pipeline)).Misplaced);
        var (file, rows) = await FirstFileAsync(pipeline);
        var folder = Directory.CreateDirectory(Path.Combine(pipeline.Options.Datalake.Path, "by_order_date=1999-12-31"));
        var moved = Path.Combine(folder.FullName, Path.GetFileName(file));
        File.Move(file, moved);

        var compared = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Different, rows, 24), (compared.Verdict, compared.Misplaced, compared.Equal));
        var named = Assert.Single(compared.Examples);
        Assert.Equal((RowDifference.Misplaced, Path.GetFileName(file)), (named.Difference, Path.GetFileName(named.File)));
        await using var run = pipeline.Run();
        var found = await run.Stream.Repair.FindAsync(isDry: true, Token);
        Assert.Equal((rows, rows), (found.Misplaced, found.Differences));

        // The remedy, followed while they are compared.
        var failure = await Assert.ThrowsAsync<PipelineException>(() => CompareAsync(pipeline, onRange: () => File.Move(moved, file)));
        Assert.Contains("Files of the lake were moved or removed while they were compared", failure.Message);
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(pipeline)).Verdict);
    }

    [Fact]
    public async Task a_lost_file_is_noticed()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var (file, rows) = await FirstFileAsync(pipeline);
        File.Delete(file);
        Assert.Equal(rows, (await CompareAsync(pipeline)).Missing);
    }

    /// <summary>Each row has a newer version, which is there: the table does not show it, the commit log does.</summary>
    [Fact]
    public async Task a_lost_file_of_superseded_versions_is_noticed_until_the_loss_is_accepted()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var first = LakeReader.Files(new LakeFolder(pipeline.Options.Datalake.Path)).ToList();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await pipeline.OnceAsync();
        var whole = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Equal, 0), (whole.Verdict, whole.Lost));
        foreach (var file in first) File.Delete(Path.Combine(pipeline.Options.Datalake.Path, file));

        var compared = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Different, 24), (compared.Verdict, compared.Lost));
        Assert.Equal((24, 0, 0, ComparisonVerdict.Equal), (compared.Equal, compared.Missing, compared.Stale, compared.OfPresentRows));
        await using var run = pipeline.Run();
        var found = await run.Stream.Repair.FindAsync(isDry: true, Token);
        Assert.Equal((24, 0), (found.Lost, found.Differences));
        // What comes while they are compared stands for none of them.
        Assert.Equal(24, (await CompareAsync(pipeline, onRange: () => UpdateAllAsync().GetAwaiter().GetResult())).Lost);
        Assert.Equal(24, (await RoundAsync(pipeline, UpdateAllAsync)).Lost);

        run.Stream.Repair.Keep(compared, DateTimeOffset.UnixEpoch, requested: 0, acceptsLost: true);
        compared = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Equal, 0, 24), (compared.Verdict, compared.Lost, compared.LostAccepted));
        Assert.Equal(0, (await run.Stream.Repair.FindAsync(isDry: true, Token)).Lost);
        // Nor does it take back what was accepted.
        var state = new AuditStateFile(pipeline.Options, CrashPoints.None).Read()!;
        foreach (var meanwhile in new[] { UpdateAllAsync, () => Task.CompletedTask })
        {
            state = state.Next(await RoundAsync(pipeline, meanwhile), deletesHeld: null);
            Assert.Equal((0, 24), (state.Last!.Lost, state.LostAccepted));
        }

        async Task UpdateAllAsync()
        {
            await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
            await pipeline.OnceAsync();
        }
    }

    /// <summary>The log goes on counting what the files held that a human says were removed on purpose.</summary>
    [Fact]
    public async Task files_that_were_removed_on_purpose_are_not_called_lost()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var lake = new LakeFolder(pipeline.Options.Datalake.Path);
        var first = LakeReader.Files(lake).ToList();
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await pipeline.OnceAsync();
        foreach (var file in first) File.Delete(lake.Locate(file));
        Assert.Equal(24, (await CompareAsync(pipeline)).Lost);

        var logs = Directory.GetFiles(
            Path.Combine(pipeline.Options.Streaming.CheckpointLocation, "commits"), "*1.json", SearchOption.AllDirectories);
        foreach (var entry in logs) await File.WriteAllTextAsync(entry.Replace(".json", ".accept-missing"), "", Token);

        var compared = await CompareAsync(pipeline);
        Assert.Equal((ComparisonVerdict.Equal, 0), (compared.Verdict, compared.Lost));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 5)]
    [InlineData(100, 23)]
    [InlineData(100, 24)]
    public async Task in_runs_and_ranges_of_any_size_it_finds_the_same(int versionsMax, int rangeRows)
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("DELETE FROM t_orders WHERE order_id = 3");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = 5 WHERE order_id < 3");
        await pipeline.OnceAsync();

        var compared = await CompareAsync(pipeline, versionsMax, rangeRows);
        Assert.Equal((23, 23, 0, 27, 24), (compared.TableRows, compared.Equal, compared.Extra, compared.LakeRows, compared.LakeKeys));
    }

    /// <summary>Ranges are cut by the key as Postgres orders it, whatever its columns are named.</summary>
    [Theory]
    [InlineData("text COLLATE \"C\"", "date", "chr(64 + i % 60) || '''' || i", "date '2020-01-01' + i % 7")]
    [InlineData("numeric(10,4)", "text", "i / 7.0", "i::text || ' Ä'")]
    [InlineData("boolean", "timestamptz", "i % 2 = 0", "timestamptz '2020-01-01Z' + i * interval '1.5 s'")]
    public async Task a_key_of_any_types_is_compared_in_ranges(string first, string second, string firstValue, string secondValue)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka,
            $"CREATE TABLE items (key_0 {first}, k {second}, name text, updated_at timestamptz NOT NULL DEFAULT now(), "
            + "PRIMARY KEY (key_0, k))");
        await stream.ExecuteAsync(
            $"INSERT INTO items (key_0, k, name) SELECT {firstValue}, {secondValue}, 'x' FROM generate_series(1, 500) i");
        await stream.DrainAsync();
        await stream.StoreAsync();

        var ranges = 0;
        var compared = await CompareAsync(stream.Options, rangeRows: 40, onRange: () => ranges++);
        Assert.Equal((ComparisonVerdict.Equal, 500, 500), (compared.Verdict, compared.TableRows, compared.Equal));
        Assert.Equal(13, ranges);
    }

    [Fact]
    public async Task rows_of_an_older_schema_are_compared_by_the_columns_that_the_table_has()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("ALTER TABLE t_orders ADD COLUMN tip numeric(6,2) NOT NULL DEFAULT 0");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET tip = 5 WHERE order_id = 1");
        await pipeline.OnceAsync();

        var compared = await CompareAsync(pipeline);
        Assert.Equal(ComparisonVerdict.Equal, compared.Verdict);
        Assert.Empty(compared.ColumnsLeftOut);
    }

    /// <summary>It is no rewrite, so nothing is captured again, and the lake's files have the column as it was.</summary>
    [Theory]
    [InlineData("numeric(12,2)")]
    [InlineData("numeric")]
    public async Task a_numeric_column_that_became_wider_is_compared(string type)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka,
            """
            CREATE TABLE items (id bigint PRIMARY KEY, amount numeric(10,2), updated_at timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON items (updated_at, id);
            INSERT INTO items SELECT i, i * 1.5 FROM generate_series(1, 30) i
            """);
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync($"ALTER TABLE items ALTER amount TYPE {type}");
        // The ordering column is left as it is.
        await stream.ExecuteAsync("UPDATE items SET amount = amount + 1 WHERE id = 3");
        await stream.PollAndStoreAsync();

        var compared = await CompareAsync(stream.Options);
        Assert.Equal((ComparisonVerdict.Different, 1, 29), (compared.Verdict, compared.Stale, compared.Equal));
        Assert.Empty(compared.ColumnsLeftOut);
    }

    [Fact]
    public async Task a_lake_behind_the_topic_is_not_compared_but_waited_for()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using (var run = pipeline.Run()) await run.OnceAsync(PipelineHalf.PostgresToKafka, Token);
        await using var storing = pipeline.Run();
        var comparing = CompareAsync(pipeline);
        await storing.OnceAsync(PipelineHalf.KafkaToLake, Token);
        Assert.Equal(24, (await comparing).Equal);
    }

    /// <summary>Its rows are the same, row by row.</summary>
    [Fact]
    public async Task a_table_that_was_made_anew_under_the_name_is_not_compared()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync(
            """
            ALTER TABLE t_orders RENAME TO t_orders_old;
            CREATE TABLE t_orders (LIKE t_orders_old INCLUDING ALL);
            GRANT SELECT ON t_orders TO PUBLIC;
            INSERT INTO t_orders OVERRIDING SYSTEM VALUE SELECT * FROM t_orders_old
            """);

        var compared = await Assert.ThrowsAsync<PipelineException>(() => CompareAsync(pipeline));
        Assert.Contains("The position of this stream belongs to", compared.Message);
        await using var run = pipeline.Run();
        var audited = await Assert.ThrowsAsync<PipelineException>(() => run.Stream.Repair.FindAsync(isDry: true, Token));
        Assert.Contains("The position of this stream belongs to", audited.Message);
    }

    /// <summary>As a copy that was restored has it, and a server that was promoted, which capture will see.</summary>
    [Fact]
    public async Task a_server_of_another_timeline_is_not_compared_before_capture_has_seen_it()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        var file = new WatermarkFile(pipeline.Options);
        var captured = file.Read()!;
        file.Write(captured with { Source = captured.Source with { Timeline = "0000000F" } }, CrashPoints.None);

        var compared = await Assert.ThrowsAsync<PipelineException>(() => CompareAsync(pipeline));
        Assert.Contains("is of timeline 0000000F, and the server is on timeline 00000001", compared.Message);
    }

    private static async Task<(string File, long Rows)> FirstFileAsync(TestPipeline pipeline)
    {
        var lake = new LakeFolder(pipeline.Options.Datalake.Path);
        var path = LakeReader.Files(lake).First();
        return (lake.Locate(path), (await LakeReader.ReadFooterAsync(lake, path, Token)).Rows);
    }

    /// <summary>A round of the audit, in which something is done once it has read the lake's files.</summary>
    private static async Task<AuditFindings> RoundAsync(TestPipeline pipeline, Func<Task> meanwhile)
    {
        var (options, time) = (pipeline.Options, TimeProvider.System);
        Func<string, ILakeFiles> open = place => new LakeFolder(place);
        var arrival = new LakeArrival(options, new TopicAdmin(options), new TopicReader(options), open, time);
        var round = new AuditRound(options, arrival, open, ask: null) { IsCaptured = false };
        var files = LakeReader.Files(new LakeFolder(options.Datalake.Path)).Count();
        await using var steps = round.StepsAsync(Token).GetAsyncEnumerator(Token);
        for (var read = 0; read < files; read++) Assert.True(await steps.MoveNextAsync());
        await meanwhile();
        while (await steps.MoveNextAsync())
        {
            // One after the other.
        }
        return round.FindingsOf(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch);
    }

    private static Task<ComparisonResult> CompareAsync(
        TestPipeline pipeline, int versionsMax = 1_000_000, int rangeRows = 100_000, Action? onRange = null) =>
        CompareAsync(pipeline.Options, versionsMax, rangeRows, onRange);

    private static async Task<ComparisonResult> CompareAsync(
        PipelineOptions options, int versionsMax = 1_000_000, int rangeRows = 100_000, Action? onRange = null)
    {
        var comparison = new LakeComparison(
            options, new TopicAdmin(options), new TopicReader(options), place => new LakeFolder(place), TimeProvider.System)
        {
            VersionsMax = versionsMax, RangeRows = rangeRows,
        };
        return await comparison.CompareAsync(null, null, onRange is null ? null : new OnRange(onRange), Token);
    }

    private sealed class OnRange(Action act) : IProgress<ComparisonProgress>
    {
        public void Report(ComparisonProgress value)
        {
            if (value.IsTable) act();
        }
    }

    /// <summary>And captures once: what was written while a trigger was changed is looked for among rows of any time.</summary>
    private static async Task DisableTriggerAsync(TestPipeline pipeline)
    {
        await pipeline.Database.ExecuteAsync("ALTER TABLE t_orders DISABLE TRIGGER orders_stream_set_times");
        await pipeline.OnceAsync();
    }

    /// <summary>
    /// A row that is seen is published and takes the horizon along, until it lies above all that was committed so far: transactions of
    /// other tests, on the same server, may hold it back.
    /// </summary>
    private static async Task AdvanceHorizonAsync(TestPipeline pipeline)
    {
        var committed = ulong.Parse(
            await pipeline.Database.ScalarAsync<string>("SELECT pg_current_xact_id()::text"), CultureInfo.InvariantCulture);
        var file = new WatermarkFile(pipeline.Options);
        for (var round = 0; file.Read()?.Horizon is not { } horizon || horizon.Xmin < committed; round++)
        {
            Assert.True(round < 60, "the horizon did not advance");
            await pipeline.Database.ExecuteAsync("UPDATE t_orders SET updated_at = clock_timestamp() WHERE order_id = 24");
            await pipeline.OnceAsync();
        }
    }
}
