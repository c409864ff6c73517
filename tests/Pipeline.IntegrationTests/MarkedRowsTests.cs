using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Rows that stay in the table and count as deleted, by a column of theirs (postgres.deleted_when).</summary>
public sealed class MarkedRowsTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string Table =
        """
        CREATE TABLE items (
            id bigint PRIMARY KEY, name text NOT NULL, is_deleted boolean, updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE INDEX ON items (updated_at, id);
        """;

    private const string Living = "is_deleted IS NOT TRUE";
    private const string Touch = ", updated_at = clock_timestamp() ";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Whatever becomes of the mark, in whichever windows; and pages are small, so that a window has many.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task a_marked_row_is_deleted_in_the_lake_until_its_mark_is_gone(bool eachInItsWindow)
    {
        await using var stream = await StreamAsync(Table);
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT i, 'n' || i, CASE i % 4 WHEN 0 THEN true WHEN 1 THEN NULL ELSE false END "
            + "FROM generate_series(1, 400) i");
        await stream.PollAndStoreAsync();
        await stream.NewestShouldEqualTableAsync(living: Living);
        Assert.Equal(100, stream.Dump().Records.Count(r => r.Value is null));
        string[] steps =
        [
            "UPDATE items SET is_deleted = true" + Touch + "WHERE id <= 200",
            "UPDATE items SET is_deleted = false" + Touch + "WHERE id IN (4, 8, 12)",
            "UPDATE items SET is_deleted = NULL, name = 'back'" + Touch + "WHERE id = 5",
            "DELETE FROM items WHERE id IN (16, 17)",
            "INSERT INTO items VALUES (16, 'again', true), (17, 'again', false), (1000, 'never met', true)",
            "UPDATE items SET is_deleted = true" + Touch + "WHERE id = 8",
            "UPDATE items SET is_deleted = false" + Touch + "WHERE id > 350",
        ];

        foreach (var step in steps)
        {
            await stream.ExecuteAsync(step);
            if (!eachInItsWindow) continue;
            await stream.PollAndStoreAsync();
            await stream.NewestShouldEqualTableAsync(living: Living);
        }
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync(living: Living);
        Assert.Empty(stream.Lake.QuarantineLines);
        Assert.Equal(ComparisonVerdict.Equal, (await CompareAsync(stream)).Verdict);
    }

    /// <summary>Nothing would be published, and it would be said that it was.</summary>
    [Fact]
    public async Task rows_that_count_as_deleted_are_not_said_to_be_captured_again()
    {
        await using var stream = await StreamAsync(Table);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i, i <= 5 FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();
        await using var run = stream.NewRun();

        var nothing = await Assert.ThrowsAsync<PipelineException>(
            () => run.Stream.Repair.RecaptureAsync(["1"], ["5"], null, null, Token));
        Assert.Contains("count as deleted", nothing.Verdict.Remedy);
        Assert.Empty(new RepairRequests(stream.Options, CrashPoints.None).Waiting());
        Assert.True(await run.Stream.Repair.RecaptureAsync(["1"], ["6"], null, null, Token));
        Assert.False(await run.Stream.Repair.RecaptureAsync(["6"], ["7"], null, null, Token));
    }

    [Fact]
    public async Task tombstones_and_marks_tell_of_the_same_keys()
    {
        await using var stream = await StreamAsync(
            TestStream.ItemsAndDeletes + "ALTER TABLE items ADD is_deleted boolean NOT NULL DEFAULT false");
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 10) i");
        await stream.PollAndStoreAsync();

        // Its delete is written down, and the row that is there by now does not count; nor does one whose mark alone is new.
        await stream.ExecuteAsync(
            "DELETE FROM items WHERE id <= 4; INSERT INTO items (id, name, is_deleted) VALUES (1, 'again', true), (2, 'again', false)");
        await stream.ExecuteAsync("UPDATE items SET id = 50, is_deleted = true" + Touch + "WHERE id = 5");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync(living: Living);
        Assert.Equal(
            ["1", "3", "4", "5", "50"],
            stream.Lake.Rows($"SELECT DISTINCT id FROM {stream.Lake.Source} WHERE _op = 'delete' ORDER BY 1").Select(r => r[0]));
    }

    /// <summary>Behind each page, of both kinds, one after the other.</summary>
    [Fact]
    public async Task a_poller_that_is_gone_behind_a_page_is_followed_by_one_that_goes_on()
    {
        await using var stream = await StreamAsync(Table);
        await stream.ExecuteAsync(
            "INSERT INTO items SELECT 1000000000000000 + i, repeat('n', 50), i % 2 = 0 FROM generate_series(1, 300) i");
        var pages = 0;
        stream.OnReached = point =>
        {
            if (point is CrashPoint.PageCommitted && ++pages % 2 == 1) throw new IOException("gone");
        };

        for (PollResult? poll = null; poll is null || poll.Outcome != PollOutcome.Idle;)
        {
            try
            {
                poll = await stream.PollAsync();
            }
            catch (IOException)
            {
                await stream.UntilNobodyPollsAsync();
            }
        }
        stream.OnReached = null;
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync(living: Living);
        Assert.True(pages > 6, $"{pages} pages");
        Assert.Equal(300, stream.Lake.Count());
    }

    /// <summary>What the lake holds as living was marked before anybody knew what a mark is.</summary>
    [Fact]
    public async Task another_condition_captures_all_rows_again()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, Table);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n', i = 3 FROM generate_series(1, 5) i");
        await RunOnceAsync(stream);
        await stream.NewestShouldEqualTableAsync();

        await stream.ExecuteAsync("INSERT INTO items VALUES (6, 'another', false)");
        await using (var run = stream.NewRun(o => With(o, "is_deleted"))) await run.OnceAsync(null, Token);

        await stream.NewestShouldEqualTableAsync(living: Living);
        Assert.Contains(stream.Log.Lines, l => l.Message.Contains("postgres.deleted_when is another", StringComparison.Ordinal));
    }

    /// <summary>Dated back, so that no window has them: a mark, and the taking back of another.</summary>
    [Fact]
    public async Task what_windows_do_not_see_of_marks_is_mended()
    {
        // Of one's own: other tests' open transactions would hold horizons back, behind which what is written is on the way.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await StreamAsync(Table, on: server);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n', i <= 5 FROM generate_series(1, 100) i");
        await RunOnceAsync(stream);
        await stream.ExecuteAsync(
            "UPDATE items SET is_deleted = NOT is_deleted, updated_at = now() - interval '1 year' WHERE id IN (3, 9)");
        await RunOnceAsync(stream);
        await stream.UntilNobodyPollsAsync();
        var result = await CompareAsync(stream);
        Assert.Equal((1, 1), (result.Missing, result.Extra));

        Assert.Equal(0, await RepairVerbs.RepairAsync(new(stream.Options, IsDry: false, Once: true, LogLevel.Warning), Token));

        await stream.NewestShouldEqualTableAsync(living: Living);
    }

    [Theory]
    [InlineData("id", "argument of IS TRUE must be type boolean")]
    [InlineData("name > 7", "operator does not exist")]
    [InlineData("updated_at > 'never'", "invalid input syntax")]
    [InlineData("is_deletd", "Did you mean is_deleted?")]
    public async Task what_is_no_condition_stops_by_name(string condition, string why)
    {
        await using var stream = await StreamAsync(Table, condition);
        await stream.ExecuteAsync("INSERT INTO items VALUES (1, 'n')");

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains("postgres.deleted_when", stop.Message, StringComparison.Ordinal);
        Assert.Contains(why, $"{stop.Message} {stop.Remedy}", StringComparison.Ordinal);
    }

    private static async Task RunOnceAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        await run.OnceAsync(null, Token);
    }

    private static async Task<ComparisonResult> CompareAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        return await run.Stream.Comparison.CompareAsync(Token);
    }

    private Task<TestStream> StreamAsync(string ddl, string condition = "is_deleted", PostgresServer? on = null) =>
        TestStream.CreateAsync(on ?? postgres, kafka, ddl, configure: o => With(o, condition));

    private static Configuration.PipelineOptions With(Configuration.PipelineOptions options, string condition) =>
        options with { Postgres = options.Postgres with { DeletedWhen = condition, PageBytes = 1_024 } };
}
