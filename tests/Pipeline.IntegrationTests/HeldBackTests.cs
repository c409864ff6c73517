using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>
/// Rows that are committed and not published, since more transactions are visible behind an open one than are remembered: nothing says that
/// all is done. On a server of their own: H is the server's, and other tests' transactions would hold it too.
/// </summary>
public sealed class HeldBackTests(KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task rows_that_are_held_back_are_said_by_every_poll_until_they_are_published()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.DrainAsync();
        var before = (await ReadStatusAsync(stream)).Capture!.CapturedUpTo;
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("SET application_name = 'forgotten'; BEGIN; INSERT INTO items (id) VALUES (1000)");
        await CommitAsync(stream, 2, 11);

        // The second and the third find the same snapshot.
        for (var i = 0; i < 3; i++)
        {
            var poll = await stream.PollAsync();
            Assert.Equal((PollOutcome.HeldBack, null), (poll.Outcome, poll.CapturedUpTo));
            Assert.Equal((open.ProcessID, "forgotten"), (poll.HeldBack?.Holder?.Pid, poll.HeldBack?.Holder?.Application));
        }
        var status = await ReadStatusAsync(stream);
        Assert.Equal((Health.Wrong, before), (status.Health, status.Capture!.CapturedUpTo));
        Assert.True(status.Capture.LagSeconds > 0);
        Assert.Equal(("open", open.ProcessID, "forgotten"), Holder(status));
        Assert.Contains("held back", Assert.Single(status.Problems));

        await open.ExecuteAsync("COMMIT");
        Assert.Equal(11, (await stream.PollAsync()).Rows);
        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await stream.StoreAsync();
        var after = await ReadStatusAsync(stream);
        Assert.Equal((Health.Well, null), (after.Health, after.Capture!.HeldBack));
        await stream.LakeShouldEqualTableAsync();
        Assert.Single(stream.Log.Lines, l => l.Id == 1006);
        Assert.Single(stream.Log.Lines, l => l.Id == 1008);
    }

    [Fact]
    public async Task a_prepared_transaction_that_was_forgotten_is_named_and_a_start_finds_the_rows_held_back()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.DrainAsync();
        await stream.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000); PREPARE TRANSACTION 'forgotten'");
        await CommitAsync(stream, 2, 11);
        Assert.Equal(PollOutcome.HeldBack, (await stream.PollAsync()).Outcome);
        await stream.RestartAsync();

        var poll = await stream.PollAsync();

        Assert.Equal((PollOutcome.HeldBack, "prepared", null), (poll.Outcome, poll.HeldBack?.Holder?.Kind, poll.HeldBack?.Holder?.Pid));
        Assert.Equal(("prepared", null, null), Holder(await ReadStatusAsync(stream)));
        await stream.ExecuteAsync("ROLLBACK PREPARED 'forgotten'");
        Assert.Equal(10, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>The remedy that the line names, though nothing is committed meanwhile: the snapshot is the same.</summary>
    [Fact]
    public async Task they_are_published_by_a_start_that_may_remember_more()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        await CommitAsync(stream, 1, 10);
        Assert.Equal(PollOutcome.HeldBack, (await stream.PollAsync()).Outcome);
        Assert.Null((await ReadStatusAsync(stream)).Capture!.CapturedUpTo);

        await stream.RestartAsync(o => Remembering(o, 100));

        Assert.Equal(10, (await stream.PollAsync()).Rows);
        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await open.ExecuteAsync("COMMIT");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Rows below the bound are in a window by their time, whatever the ids say that are not remembered.</summary>
    [Fact]
    public async Task what_was_written_past_a_changed_trigger_is_published_once_while_nothing_else_is_committed()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await stream.ExecuteAsync(
            """
            CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
            CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION stamp();
            INSERT INTO items (id) VALUES (1);
            """);
        await stream.DrainAsync();
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; SELECT pg_current_xact_id()");
        await stream.ExecuteAsync("DROP TRIGGER stamp ON items");
        for (var id = 2; id <= 11; id++) await stream.ExecuteAsync($"INSERT INTO items (id, updated_at) VALUES ({id}, '2020-01-01')");
        await CommitAsync(stream, 12, 21);

        Assert.Equal(10, (await stream.PollAsync()).Rows);
        for (var i = 0; i < 3; i++)
        {
            var poll = await stream.PollAsync();
            Assert.Equal((PollOutcome.HeldBack, 0), (poll.Outcome, poll.Rows));
        }

        await open.ExecuteAsync("COMMIT");
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    [Fact]
    public async Task what_is_not_committed_is_not_held_back()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.DrainAsync();
        await using var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("BEGIN; INSERT INTO items (id) SELECT generate_series(1000, 1100)");
        await CommitAsync(stream, 2, 4);
        Assert.Equal(3, (await stream.PollAsync()).Rows);
        Assert.Equal((PollOutcome.Idle, true), (await stream.PollAsync()) is var p ? (p.Outcome, p.CapturedUpTo is not null) : default);
        await stream.StoreAsync();
        Assert.Equal(Health.Well, (await ReadStatusAsync(stream)).Health);
    }

    private Task<TestStream> CreateAsync(PostgresServer server) =>
        TestStream.CreateAsync(server, kafka, configure: o => Remembering(o, 3));

    private static PipelineOptions Remembering(PipelineOptions options, int transactions) =>
        options with { Postgres = options.Postgres with { SeenTransactions = transactions } };

    /// <summary>Each row by a transaction of its own.</summary>
    private static async Task CommitAsync(TestStream stream, int first, int last)
    {
        for (var id = first; id <= last; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
    }

    private static (string?, int?, string?) Holder(PipelineStatus status) =>
        status.Capture?.HeldBack?.By is { } by ? (by.Kind, by.Pid, by.Application) : default;

    private static async Task<PipelineStatus> ReadStatusAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        using var halves = run.BothAtWork();
        return await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
    }
}
