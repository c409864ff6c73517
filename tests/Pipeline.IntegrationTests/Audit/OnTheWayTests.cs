using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Audit;

/// <summary>What is not in the lake yet, and may come, is no difference; nor is it agreement.</summary>
public sealed class OnTheWayTests(KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Dated back it is in no window, and above H it is in no horizon, while others commit.</summary>
    [Fact]
    public async Task a_row_that_no_window_takes_is_not_called_equal_while_a_transaction_from_before_it_stays_open()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = 1 } });
        await stream.ExecuteAsync("CREATE TABLE others (n int); INSERT INTO items SELECT i, 'n' FROM generate_series(1, 30) i");
        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await stream.UntilStoredAsync(30, running);
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO others VALUES (0)");
        await stream.ExecuteAsync("INSERT INTO items VALUES (99, 'late', now() - interval '1 year')");
        using var enough = new CancellationTokenSource();
        var committing = CommitAsync(enough.Token);

        var compared = await ComparisonOf(stream.Options).CompareAsync(Token);
        await enough.CancelAsync();
        await committing;
        await stop.CancelAsync();
        await running;
        Assert.NotEqual(ComparisonVerdict.Equal, compared.Verdict);
        Assert.Equal((31, 30), (compared.TableRows, compared.Equal));

        async Task CommitAsync(CancellationToken until)
        {
            while (!until.IsCancellationRequested) await stream.ExecuteAsync("INSERT INTO others VALUES (1)");
        }
    }

    /// <summary>The snapshot is the horizon's: no window will take what it shows, whatever the ids say.</summary>
    [Fact]
    public async Task a_row_that_no_window_takes_is_found_and_mended_where_nothing_commits_while_a_transaction_stays_open()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("CREATE TABLE others (n int); INSERT INTO items SELECT i, 'n' FROM generate_series(1, 30) i");
        await stream.PollAndStoreAsync();
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO others VALUES (0)");
        await stream.ExecuteAsync("INSERT INTO items VALUES (99, 'late', now() - interval '1 year')");
        await stream.PollAndStoreAsync();

        var compared = await ComparisonOf(stream.Options).CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Different, 1, 0), (compared.Verdict, compared.Missing, compared.OnTheWay));
    }

    /// <summary>Rows that were published are published anew, with values that the lake does not have.</summary>
    [Fact]
    public async Task what_is_being_captured_again_is_on_the_way_until_all_of_it_is()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 4096 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series(1, 300) i");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.ExecuteAsync("ALTER TABLE items ADD COLUMN tip int NOT NULL DEFAULT 5");
        await stream.Instance.PollOnePageAsync();
        await stream.StoreAsync();

        var under = await ComparisonOf(stream.Options).CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Unknown, 0, 0), (under.Verdict, under.Stale, under.Missing));
        Assert.True(under.OnTheWay > 0, "the first page had all rows");
        await using var run = stream.NewRun();
        Assert.Equal(0, (await run.Stream.Repair.FindAsync(isDry: true, Token)).Differences);

        await stream.DrainAsync();
        await stream.StoreAsync();
        var done = await ComparisonOf(stream.Options).CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Equal, 300), (done.Verdict, done.Equal));
    }

    [Fact]
    public async Task rows_whose_files_have_no_names_yet_are_waited_for()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        // In one partition: the others have nothing that could be waited for.
        await stream.ExecuteAsync("INSERT INTO items VALUES (1, 'n')");
        await stream.DrainAsync();
        stream.OnReached = point =>
        {
            if (point == CrashPoint.CommitCreated) throw new IOException("crash");
        };
        await Assert.ThrowsAsync<IOException>(stream.StoreAsync);
        stream.OnReached = null;

        var failure = await Assert.ThrowsAsync<PipelineException>(
            () => ComparisonOf(stream.Options, TimeSpan.FromSeconds(1)).CompareAsync(Token));
        Assert.Contains("The lake is behind the topic in", failure.Message, StringComparison.Ordinal);
        await stream.RestartAsync();
        await stream.StoreEverythingAsync();
        Assert.Equal(ComparisonVerdict.Equal, (await ComparisonOf(stream.Options).CompareAsync(Token)).Verdict);
    }

    private static LakeComparison ComparisonOf(PipelineOptions options, TimeSpan? patience = null) => new(
        options, new TopicAdmin(options), new TopicReader(options), place => new LakeFolder(place), TimeProvider.System)
    {
        Patience = patience ?? TimeSpan.FromSeconds(60),
    };
}
