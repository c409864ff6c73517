using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Hosting.Loops;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
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
        Assert.True(compared.IsEqual);
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
        Assert.True(compared.IsEqual);
        Assert.Equal((25, 21, 4), (compared.TableRows, compared.Equal, compared.OnTheWay));
    }

    [Fact]
    public async Task a_row_that_capture_could_not_see_is_found_stale()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        // Dated back behind the slack, as no client can with the trigger on.
        await pipeline.Database.ExecuteAsync(
            "ALTER TABLE t_orders DISABLE TRIGGER orders_stream_set_times; "
            + "UPDATE t_orders SET amount = 77, updated_at = updated_at - interval '1 day' WHERE order_id = 7");
        await pipeline.OnceAsync();
        await AdvanceHorizonAsync(pipeline);

        var compared = await CompareAsync(pipeline);
        Assert.False(compared.IsEqual);
        Assert.Equal((1, 0, 0, 0), (compared.Stale, compared.Missing, compared.Extra, compared.OnTheWay));
        Assert.Equal("7", Assert.Single(compared.Examples).Key);
    }

    [Fact]
    public async Task a_row_that_capture_could_not_see_at_all_is_found_missing()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync(
            """
            ALTER TABLE t_orders DISABLE TRIGGER orders_stream_set_times;
            INSERT INTO t_orders (order_id, customer_name, restaurant_name, item, amount, updated_at)
            VALUES (1000, 'a', 'b', 'c', 1, now() - interval '1 day')
            """);
        await AdvanceHorizonAsync(pipeline);

        var compared = await CompareAsync(pipeline);
        Assert.Equal((1, 0, 0, 0), (compared.Missing, compared.Stale, compared.Extra, compared.OnTheWay));
        Assert.Equal((RowDifference.Missing, "1000"), (compared.Examples.Single().Difference, compared.Examples.Single().Key));
    }

    [Fact]
    public async Task a_deleted_row_is_extra()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("DELETE FROM t_orders WHERE order_id IN (3, 4)");

        var compared = await CompareAsync(pipeline);
        Assert.Equal((2, 0, 0), (compared.Extra, compared.Missing, compared.Stale));
        Assert.All(compared.Examples, e => Assert.NotNull(e.Offset));
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
        Assert.False(compared.IsEqual);
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

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task in_several_passes_it_finds_the_same(int versionsMax)
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("DELETE FROM t_orders WHERE order_id = 3");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = 5 WHERE order_id < 3");
        await pipeline.OnceAsync();

        var compared = await CompareAsync(pipeline, versionsMax);
        Assert.Equal((23, 23, 1, 26, 24), (compared.TableRows, compared.Equal, compared.Extra, compared.LakeRows, compared.LakeKeys));
    }

    [Fact]
    public async Task rows_of_an_older_schema_are_compared_by_the_columns_that_both_have()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.OnceAsync();
        await pipeline.Database.ExecuteAsync("ALTER TABLE t_orders ADD COLUMN tip numeric(6,2) NOT NULL DEFAULT 0");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET tip = 5 WHERE order_id = 1");
        await pipeline.OnceAsync();

        var compared = await CompareAsync(pipeline);
        Assert.True(compared.IsEqual);
        Assert.Equal(["tip"], compared.ColumnsLeftOut);
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

    private static async Task<(string File, long Rows)> FirstFileAsync(TestPipeline pipeline)
    {
        var lake = new LakeFolder(pipeline.Options.Datalake.Path);
        var path = LakeReader.Files(lake).First();
        return (lake.Locate(path), (await LakeReader.ReadFooterAsync(lake, path, Token)).Rows);
    }

    private async Task<ComparisonResult> CompareAsync(TestPipeline pipeline, int versionsMax = 1_000_000)
    {
        var options = pipeline.Options;
        var comparison = new LakeComparison(
            options, new TopicAdmin(options), new TopicReader(options), place => new LakeFolder(place), TimeProvider.System)
        {
            VersionsMax = versionsMax,
        };
        return await comparison.CompareAsync(Token);
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
