using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Status;
using OrdersStream.UnitTests.Postgres;

namespace OrdersStream.UnitTests.Status;

/// <summary>What files alone tell; neither server answers here.</summary>
public sealed class StatusReaderTests : IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromMilliseconds(200), Patience = TimeSpan.FromSeconds(30);

    private readonly TempFolder folder = new();
    private readonly PipelineMetrics metrics = new(new PipelineOptions());
    private AuditReport? audit;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        metrics.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task a_status_comes_to_its_end_though_the_lake_hangs()
    {
        using var released = new ManualResetEventSlim();

        var status = await ReadAsync(path =>
        {
            released.Wait(Token);
            return new LakeFolder(path, CrashPoints.None);
        });

        var silent = $"The folder '{folder["lake"]}' did not answer within";
        Assert.Contains(status.Problems, p => p.StartsWith(silent, StringComparison.Ordinal));
        Assert.False(status.Lake.Reachable);
        released.Set();
    }

    /// <summary>As after a start without the volume: all that is in the topic is stored, and what retention took is not there.</summary>
    [Fact]
    public async Task a_lake_that_lacks_the_topics_beginning_is_not_well_until_it_was_compared_since()
    {
        Assert.DoesNotContain("This lake begins", await ProblemsAsync());
        Begin(0, 0);
        Assert.DoesNotContain("This lake begins", await ProblemsAsync());
        File.Delete(Path.Combine(folder["lake"], LakeOwner.FileName));
        Begin(0, 7);
        Assert.Contains("This lake begins at offset 7 of partition 1: ", await ProblemsAsync());

        var begun = TimeProvider.System.GetUtcNow();
        audit = Compared(begun.AddDays(-1));
        Assert.Contains("This lake begins", await ProblemsAsync());
        audit = Compared(begun.AddDays(1));
        Assert.DoesNotContain("This lake begins", await ProblemsAsync());

        static AuditReport Compared(DateTimeOffset at) => new(new(at, 0, 1, 0, 0, 0, 0, 0, 0, 0, null), null, IsOverdue: false);
    }

    [Fact]
    public async Task rows_that_only_the_lake_has_are_warned_of_and_wrong_where_deletes_are_captured()
    {
        var found = new AuditStatus(default, 0, 10, 0, Missing: 0, Stale: 0, Extra: 5, 0, 0, 0, null);
        audit = new(found, null, IsOverdue: false);
        var status = await ReadAsync(Open);
        Assert.Contains(status.Warnings, w => w.Contains("5 were extra", StringComparison.Ordinal));
        Assert.DoesNotContain(status.Problems, p => p.Contains("5 were extra", StringComparison.Ordinal));

        audit = new(found with { ExtraUnasked = 5 }, null, IsOverdue: false);
        status = await ReadAsync(Open);
        Assert.DoesNotContain(status.Warnings, w => w.Contains("5 were extra", StringComparison.Ordinal));
        Assert.Contains(status.Problems, p => p.Contains("5 were extra", StringComparison.Ordinal));
    }

    /// <summary>As verify: rows may have been passed over.</summary>
    [Fact]
    public async Task a_round_by_indexes_whose_order_is_in_doubt_has_seen_nothing_to_be_equal()
    {
        Assert.True((Round() with { IsOrderInDoubt = true }).CannotBeTold);
        Assert.True((Round(extra: 3) with { IsOrderInDoubt = true }).CannotBeTold);
        Assert.False((Round(stale: 1) with { IsOrderInDoubt = true }).CannotBeTold);
        audit = new(new(default, 0, 10, 0, 0, 0, Extra: 3, 0, 0, 0, null) { CannotBeTold = true }, null, IsOverdue: false);
        Assert.Contains("Whether lake and table are equal cannot be told: a collation of the key", await ProblemsAsync());

        static AuditFindings Round(long stale = 0, long extra = 0) => new(default, default, 10, 10, 0, 0, stale, extra, 0, 0, 0);
    }

    /// <summary>Of what is extra by its cause, and of the rest, which nothing holds back.</summary>
    [Fact]
    public async Task where_deletes_are_held_the_remedy_is_that_of_the_reason_and_of_what_else_differs()
    {
        const string repair = "'repair' publishes what is missing or stale again";
        var doubtful = await RemedyAsync(stale: 1, HeldDeletes.OrderInDoubt);
        Assert.StartsWith("REINDEX the table as check says", doubtful, StringComparison.Ordinal);
        Assert.DoesNotContain("deletes_share_max", doubtful, StringComparison.Ordinal);
        Assert.Contains(repair, doubtful, StringComparison.Ordinal);
        var tooMany = await RemedyAsync(stale: 0, HeldDeletes.TooMany(5));
        Assert.StartsWith("Where they were deleted, raise postgres.deletes_share_max", tooMany, StringComparison.Ordinal);
        Assert.DoesNotContain(repair, tooMany, StringComparison.Ordinal);

        async Task<string> RemedyAsync(long stale, HeldDeletes held)
        {
            var found = new AuditStatus(default, 0, 10, 0, 0, stale, Extra: 3, 0, stale, 0, null, DeletesHeld: held.Why);
            audit = new(found with { DeletesRemedy = held.Remedy }, null, IsOverdue: false);
            return (await ReadAsync(Open)).Findings.Single(f => f.Problem.Contains(held.Why, StringComparison.Ordinal)).Remedy;
        }
    }

    /// <summary>As where the process that captures has audit.enabled false: it leaves nothing of an audit.</summary>
    [Fact]
    public async Task a_lake_that_is_never_compared_is_not_well_for_ever()
    {
        const string problem = "Lake and table were never compared: no round of the audit has come to its end since.";
        Begin(0, 0);
        var captured = Watermark.Start(Horizons.Source, Horizons.Topic) with { Horizon = Horizons.At(100, 105, Horizons.Noon), Rows = 10 };
        new WatermarkFile(Options()).Write(captured, CrashPoints.None);
        Assert.DoesNotContain(problem, await ProblemsAsync());

        var begun = TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-15);
        File.SetLastWriteTimeUtc(Path.Combine(folder["lake"], LakeOwner.FileName), begun);

        Assert.Contains(problem, await ProblemsAsync());
        audit = new(null, null, IsOverdue: false);
        Assert.DoesNotContain(problem, await ProblemsAsync());
        audit = new(null, null, IsOverdue: true);
        Assert.Contains(problem, await ProblemsAsync());
    }

    private void Begin(params long[] begins) => Open(folder["lake"]).TryCreate(
        LakeOwner.FileName, OwnerFile.Write(new TopicIdentity("", "orders", null), "id", begins), CrashPoint.LakeOwnerWritten);

    private async Task<string> ProblemsAsync() => string.Join('\n', (await ReadAsync(Open)).Problems);

    private Task<PipelineStatus> ReadAsync(Func<string, ILakeFiles> open)
    {
        var (time, options) = (TimeProvider.System, Options());
        var reader = new StatusReader(
            options, new TopicAdmin(options), new TopicReader(options), open, new ProcessStatus("test", default, []), () => [], () => audit,
            new FlowHistory(), new FailureJournal("orders", time, metrics), time);
        return reader.ReadAsync(AnswerTimeout, Token).WaitAsync(Patience, Token);
    }

    private PipelineOptions Options() => new()
    {
        Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = "orders" },
        Kafka = new() { Brokers = "127.0.0.1:1", Topic = "orders" },
        Datalake = new() { Path = folder["lake"] },
        Streaming = new() { CheckpointLocation = folder["checkpoint"], LastProcessedTimestampLocation = folder["lastprocess"] },
    };

    private static LakeFolder Open(string path) => new(path, CrashPoints.None);
}
