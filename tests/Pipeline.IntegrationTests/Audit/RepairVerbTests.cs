using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Audit;

/// <summary>What <c>repair --once</c> mends by itself.</summary>
public sealed class RepairVerbTests(KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>A file that held deletes is gone: in the lake the rows live.</summary>
    [Fact]
    public async Task rows_whose_deletes_the_lake_has_lost_are_published_as_deleted_again()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 300) i");
        await OnceAsync();
        var before = stream.Lake.Files;
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 5");
        await OnceAsync();
        var deletes = stream.Lake.Files.Except(before).ToList();
        // Not of the newest commit: without its files storing does not begin.
        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp()");
        await OnceAsync();
        foreach (var file in deletes) File.Delete(file);

        Assert.Equal(1, await RepairAsync(isDry: true));
        // The table knows nothing of those deletes' own versions: that they are gone is said until it is accepted.
        Assert.Equal(1, await RepairAsync(isDry: false));
        await stream.NewestShouldEqualTableAsync();
        Assert.Equal(0, await RepairAsync(isDry: false, acceptsLost: true));
        Assert.Equal(0, await RepairAsync(isDry: true));

        async Task OnceAsync()
        {
            await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(null, Token));
            await stream.UntilNobodyPollsAsync();
        }

        Task<int> RepairAsync(bool isDry, bool acceptsLost = false) =>
            RepairVerbs.RepairAsync(new RepairOptions(stream.Options, isDry, Once: true, LogLevel.Warning, acceptsLost), Token);
    }

    /// <summary>As without it: where nothing would be published as deleted, it is not said that it would be.</summary>
    [Theory]
    [InlineData("trigger", 20, "they are more than 5% of all (postgres.deletes_share_max)")]
    [InlineData("trigger", 30, "the table is empty")]
    [InlineData("trigger", 1, null)]
    [InlineData("off", 20, null)]
    public async Task a_dry_run_tells_what_would_hold_deletes_back(string deletes, int gone, string? held)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { Deletes = deletes } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 30) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync($"DELETE FROM items WHERE id <= {gone}");
        await stream.PollAndStoreAsync();
        await using var run = stream.NewRun();

        var found = await run.Stream.Repair.FindAsync(isDry: true, Token);

        Assert.Equal((gone, 0, held), (found.Extra, found.Requested, run.Stream.Repair.DeletesHeld));
    }

    [Fact]
    public void what_was_found_is_told_kind_by_kind_and_only_what_would_be_done_about_it()
    {
        var found = new AuditFindings(default, default, 30, 30, 0, 0, 0, Extra: 4, StoredTwice: 3, 0, 0);
        Assert.Equal(
            [
                "of 30 rows 0 are missing and 0 stale; 0 are on the way", "4 are in the lake and not in the table",
                "they are not published as deleted, since the table is empty",
                "3 versions are in the lake more than once: verify names their files",
            ],
            RepairVerbs.Lines(found, "the table is empty"));
        Assert.EndsWith("nothing would be", RepairVerbs.Would(found, "the table is empty"), StringComparison.Ordinal);
        Assert.EndsWith("those only the lake has would be, as deleted", RepairVerbs.Would(found, null), StringComparison.Ordinal);
        found = found with { Stale = 1 };
        Assert.EndsWith(
            "those missing and stale would be", RepairVerbs.Would(found, "the table is empty"), StringComparison.Ordinal);
        Assert.EndsWith("and those only the lake has as deleted", RepairVerbs.Would(found, null), StringComparison.Ordinal);
    }

    /// <summary>Between the two looks at a range there is nobody to wait for.</summary>
    [Fact]
    public async Task where_nobody_captures_it_does_not_wait_for_who_captures()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = 3600 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 30) i");
        await OnceAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'late', updated_at = now() - interval '1 year' WHERE id = 7");
        await OnceAsync();

        var repair = RepairVerbs.RepairAsync(new RepairOptions(stream.Options, IsDry: false, Once: true, LogLevel.Warning), Token);
        Assert.Equal(0, await repair.WaitAsync(TimeSpan.FromMinutes(5), Token));
        await stream.NewestShouldEqualTableAsync();

        async Task OnceAsync()
        {
            await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(null, Token));
            await stream.UntilNobodyPollsAsync();
        }
    }

    /// <summary>By an index that is not in the order in which it is searched, rows that are there seem to be gone.</summary>
    [Fact]
    public async Task while_the_order_of_the_key_is_in_doubt_nothing_is_told_as_gone_or_as_equal()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka,
            """
            CREATE TABLE items (id text COLLATE "und-x-icu" PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now());
            CREATE INDEX ON items (updated_at, id);
            INSERT INTO items SELECT 'k' || i FROM generate_series(1, 30) i
            """,
            configure: o => o with { Postgres = o.Postgres with { Deletes = "audit" } });
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE pg_collation SET collversion = '0' WHERE collname = 'und-x-icu'");
        await stream.PollAndStoreAsync();
        await using var run = stream.NewRun();
        var equal = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Unknown, 30), (equal.Verdict, equal.Equal));

        Assert.Equal(2, await DryAsync());

        await stream.ExecuteAsync("DELETE FROM items WHERE id = 'k7'");
        await stream.PollAndStoreAsync();
        Assert.Equal(2, await DryAsync());
        var gone = await run.Stream.Comparison.CompareAsync(Token);
        Assert.Equal((ComparisonVerdict.Unknown, 1), (gone.Verdict, gone.Extra));
        var found = await run.Stream.Repair.FindAsync(isDry: false, Token);
        Assert.Equal((1, 0), (found.Extra, found.Requested));
        Assert.Contains("a collation of the key", run.Stream.Repair.DeletesHeld, StringComparison.Ordinal);

        Task<int> DryAsync() =>
            RepairVerbs.RepairAsync(new RepairOptions(stream.Options, IsDry: true, Once: false, LogLevel.Warning), Token);
    }
}
