using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
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
        var found = await Assert.ThrowsAsync<PipelineException>(() => run.Stream.Repair.FindAsync(isDry: true, Token));
        Assert.Contains("The table is being read as a whole", found.Message, StringComparison.Ordinal);
        await KeepsWhatItKnewAsync(stream);

        await stream.DrainAsync();
        await stream.StoreAsync();
        var done = await ComparisonOf(stream.Options).CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Equal, 300), (done.Verdict, done.Equal));
    }

    /// <summary>All its rows are equal: a delete from before the window, which the lake lost, would look the same.</summary>
    [Fact]
    public async Task a_delete_beside_a_window_over_the_whole_table_is_neither_mended_nor_extra()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 30) i");
        await stream.PollAndStoreAsync();
        var file = new WatermarkFile(stream.Options);
        var (captured, horizon) = (file.Read()!, file.Read()!.Horizon!);
        var window = new Window(captured.WindowNumber + 1, horizon, horizon, LowerBound: null, 0, null, IsOfAnyTime: true);
        file.Write(captured.Begin(window), CrashPoints.None);
        await using var run = stream.NewRun();
        var equal = await run.Stream.Repair.FindAsync(isDry: true, Token);
        Assert.Equal((30, 0), (equal.Equal, equal.OnTheWay));

        await stream.ExecuteAsync("DELETE FROM items WHERE id = 3");

        var found = await Assert.ThrowsAsync<PipelineException>(() => run.Stream.Repair.FindAsync(isDry: true, Token));
        Assert.Contains("The table is being read as a whole", found.Message, StringComparison.Ordinal);
    }

    /// <summary>Some rows are equal; of the others no round of the audit can tell that they are mended.</summary>
    private static async Task KeepsWhatItKnewAsync(TestStream stream)
    {
        var (options, time) = (stream.Options with { Audit = new AuditOptions { Share = 100, Interval = 1 } }, TimeProvider.System);
        var file = new AuditStateFile(options, CrashPoints.None);
        var known = new AuditFindings(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 300, 299, 0, 0, Stale: 1, 0, 0, 1, 0);
        file.Write(new AuditState(known) { DifferingRounds = 1 });
        Func<string, ILakeFiles> open = place => new LakeFolder(place);
        using var metrics = new PipelineMetrics(options, null);
        var arrival = new LakeArrival(options, new TopicAdmin(options), new TopicReader(options), open, time);
        var audit = new StandingAudit(
            options, new WatermarkFile(options).Read, arrival, open, CrashPoints.None, metrics, time, NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        var running = audit.RunAsync(stop.Token);
        await stream.UntilAsync(
            () => file.Read() is { } state && (state.Failure is not null || state.Last != known), running, () => $"it says {file.Read()}");
        await stop.CancelAsync();
        await running;
        var left = file.Read()!;
        Assert.Equal((known, 1), (left.Last, left.DifferingRounds));
        Assert.Contains("The table is being read as a whole", left.Failure, StringComparison.Ordinal);
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
