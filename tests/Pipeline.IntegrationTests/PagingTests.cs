using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using CsCheck;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A window is read in pages: at any cut each row of it is published once, and in order.</summary>
public sealed class PagingTests(PostgresServer postgres, KafkaServer kafka)
{
    private const int LeastPageBytes = 1024;

    [Fact]
    public async Task equal_timestamps_are_cut_by_the_key()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(LeastPageBytes));
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 60) FROM generate_series(1, 200) i");

        // Each page a query of its own, behind the cursor of the one before.
        var (rows, polls) = await PollPageByPageAsync(stream);
        await stream.StoreAsync();

        Assert.Equal(200, rows);
        Assert.InRange(polls, 10, 100);
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_with_the_timestamp_of_one_already_published_arrives()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { SlackSeconds = 60 } });
        var plain = new PlainPoll(stream.Database);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (5)");
        await stream.PollAsync();
        await plain.PollAsync();
        await stream.ExecuteAsync(
            "INSERT INTO items (id, updated_at) SELECT i, (SELECT updated_at FROM items WHERE id = 5) FROM generate_series(1, 9, 2) i "
            + "ON CONFLICT DO NOTHING");

        Assert.Equal(4, (await stream.PollAsync()).Rows);
        await plain.PollAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(["5"], plain.Found);
    }

    [Fact]
    public async Task a_row_too_large_for_a_record_stops_capture_and_nothing_of_its_page_is_seen()
    {
        // A page that is larger than a record may be: the row stands between others.
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(64 * 1024 * 1024));
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT i, CASE i WHEN 150 THEN repeat('x', 17 * 1024 * 1024) ELSE 'small' END "
            + "FROM generate_series(1, 300) i");

        var failure = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, failure.Action);
        Assert.Contains("too large for a record", failure.Problem);
        Assert.Empty(stream.TakeNewRecords());
        // The server ends a session a moment after it was closed.
        await stream.UntilNobodyPollsAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'cut' WHERE id = 150");
        await stream.PollAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_window_of_any_rows_at_any_page_size_is_published_once_and_in_order()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.PollAsync();
        stream.TakeNewRecords();
        var windows = Gen.Select(
            Gen.Int[LeastPageBytes, 6 * LeastPageBytes],
            Gen.Bool,
            Gen.Select(Gen.Int[0, 400], Gen.Int[0, 3]).List[0, 120]);
        var (inserted, published) = (0, new HashSet<string>());

        await windows.SampleAsync(async (pageBytes, isReopened, rows) =>
        {
            await stream.RestartAsync(PageBytes(pageBytes));
            // Not counted by what was published: a sample that fails must not be hidden by the next one's.
            await InsertAsync(stream, inserted, rows);
            inserted += rows.Count;
            if (isReopened) await PollPageByPageAsync(stream);
            else await stream.PollAsync();

            // What the topic has, not what the poll says: one that is called again after a late answer counts only the rest.
            var records = stream.TakeNewRecords();
            Assert.Equal(rows.Count, records.Count);
            Assert.All(records, r => Assert.True(published.Add(Encoding.UTF8.GetString(r.Key!))));
            foreach (var partition in records.GroupBy(r => r.Partition))
                Assert.Equal(partition.Select(Order).Order(), partition.Select(Order));
        }, iter: 12, threads: 1);

        Assert.Equal(await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items"), published.Count);
        stream.Dump().ShouldHoldEachRowVersionOnce();
    }

    [Fact]
    public async Task a_row_larger_than_a_page_is_a_page()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(LeastPageBytes));
        await stream.PollAsync();
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT i, repeat('x', CASE WHEN i % 2 = 0 THEN 200000 ELSE 10 END) FROM generate_series(1, 9) i");

        Assert.Equal(9, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_updated_during_a_window_is_caught_by_the_next()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(LeastPageBytes));
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, 60) i");
        var first = await stream.Instance.PollOnePageAsync();
        Assert.False(first.WindowDone);

        await stream.ExecuteAsync("UPDATE items SET name = 'of a page already published', updated_at = now() WHERE id = 1");
        await stream.ExecuteAsync("UPDATE items SET name = 'of a page still to come', updated_at = now() WHERE id = 60");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (61)");
        var rest = await stream.PollAsync();
        var next = await stream.PollAsync();
        await stream.StoreAsync();

        Assert.Equal(59, first.Rows + rest.Rows);
        Assert.Equal(3, next.Rows);
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_deleted_during_a_window_is_no_fault()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(LeastPageBytes));
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, 60) i");
        var first = await stream.Instance.PollOnePageAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 60");
        var rest = await stream.PollAsync();
        await stream.StoreAsync();

        Assert.Equal(59, first.Rows + rest.Rows);
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task an_initial_load_is_resumed_where_it_stopped()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(4 * LeastPageBytes));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, 500) i");
        var rows = 0L;
        for (var i = 0; i < 3; i++)
        {
            var poll = await stream.Instance.PollOnePageAsync();
            Assert.False(poll.WindowDone);
            Assert.InRange(poll.Rows, 1, 100);
            rows += poll.Rows;
            // Rows that come meanwhile belong to the next window.
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({1000 + i})");
            await stream.RestartAsync();
        }

        rows += (await stream.PollAsync()).Rows;
        Assert.Equal(500, rows);
        Assert.Equal(3, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_poll_that_finds_its_window_read_to_the_end_takes_the_next()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: PageBytes(LeastPageBytes));
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, repeat('x', 2000))");
        Assert.False((await stream.Instance.PollOnePageAsync()).WindowDone);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (2)");
        await stream.RestartAsync();

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        Assert.Equal(PollOutcome.Idle, (await stream.PollAsync()).Outcome);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    private static Func<Configuration.PipelineOptions, Configuration.PipelineOptions> PageBytes(int bytes) =>
        o => o with { Postgres = o.Postgres with { PageBytes = bytes } };

    private static async Task<(long Rows, int Polls)> PollPageByPageAsync(TestStream stream)
    {
        var rows = 0L;
        for (var polls = 1; ; polls++)
        {
            var poll = await stream.Instance.PollOnePageAsync();
            rows += poll.Rows;
            if (poll.WindowDone) return (rows, polls);
        }
    }

    // Rows of one transaction per second number: many ties, and names of any length.
    private static async Task InsertAsync(TestStream stream, int firstId, List<(int NameLength, int Second)> rows)
    {
        if (rows.Count == 0) return;
        var values = rows.Select((r, i) => $"({firstId + i}, repeat('n', {r.NameLength}), now() + interval '{r.Second} seconds')");
        await stream.ExecuteAsync($"INSERT INTO items (id, name, updated_at) VALUES {string.Join(',', values)}");
    }

    private static (string, long) Order(Kafka.StreamRecord record)
    {
        using var row = JsonDocument.Parse(record.Value);
        return (row.RootElement.GetProperty("updated_at").GetString()!, row.RootElement.GetProperty("id").GetInt64());
    }
}
