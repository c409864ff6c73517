using CsCheck;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.UnitTests.ParquetFormat;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Lake;

public sealed class CommitLogTests : IDisposable
{
    private readonly TempFolder folder = new();
    private readonly TestTime time = new();
    private readonly List<CrashPoint> reached = [];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void an_entry_is_read_back_as_it_was_written()
    {
        var log = NewLog();
        Assert.Null(log.ReadNewest());
        Assert.True(log.TryAppend(Entry(1)));
        Assert.True(log.TryAppend(Entry(2)));
        Assert.Equivalent(Entry(2), log.ReadNewest(), strict: true);
        Assert.Equal("log/00000000000000000002.json", log.PathOf(2));
        Assert.StartsWith("{\n  \"version\": 2,\n", File.ReadAllText(At(2)));
    }

    [Fact]
    public void of_two_writers_one_has_the_number()
    {
        Assert.True(NewLog().TryAppend(Entry(1, "a")));
        Assert.False(NewLog().TryAppend(Entry(1, "b")));
        Assert.Equal("a", NewLog().ReadNewest()!.Writer);
    }

    [Fact]
    public void a_create_that_was_done_but_reported_taken_is_ours()
    {
        var log = NewLog(create => create() && false);
        Assert.True(log.TryAppend(Entry(1)));
        Assert.Equal(1, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_create_that_was_done_but_reported_failed_is_ours()
    {
        var log = NewLog(create => throw new IOException(create() ? "the answer was lost" : "taken"));
        Assert.True(log.TryAppend(Entry(1)));
    }

    [Fact]
    public void a_create_that_failed_fails()
    {
        var log = NewLog(_ => throw new IOException("disk full"));
        Assert.Throws<IOException>(() => log.TryAppend(Entry(1)));
        Assert.Null(log.ReadNewest());
    }

    [Fact]
    public void a_writer_that_slept_past_the_pruning_of_its_number_is_void()
    {
        var log = PrunedLog();
        Assert.False(File.Exists(At(3)));

        Assert.False(log.TryAppend(Entry(3, "sleeper")));
        Assert.False(File.Exists(At(3)));
        Assert.Equal(40, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_writer_that_dies_once_its_void_entry_is_withdrawn_leaves_a_log_that_goes_on()
    {
        var log = PrunedLog();
        var sleeper = Log(new LakeFolder(folder.Path, new CrashPoints(p =>
        {
            if (p == CrashPoint.CommitWithdrawn) throw new CrashException();
        })));
        Assert.Throws<CrashException>(() => sleeper.TryAppend(Entry(3, "sleeper")));

        var next = NewLog();
        Assert.Equivalent(Entry(40), next.ReadNewest(), strict: true);
        Assert.False(next.TryAppend(Entry(40, "next")));
        Assert.True(next.TryAppend(Entry(41, "next")));
        next.Prune();
        var last = NewLog();
        Assert.Equivalent(Entry(41, "next"), last.ReadNewest(), strict: true);
        Assert.Equal(
            Enumerable.Range(41 - CommitLog.EntriesKept + 1, CommitLog.EntriesKept).Select(i => At(i)),
            Directory.GetFiles(folder["log"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void the_newest_entries_and_those_of_a_day_are_kept()
    {
        var log = NewLog();
        for (var i = 1; i <= 40; i++) log.TryAppend(Entry(i));
        log.Prune();
        Assert.Equal(40, Directory.GetFiles(folder["log"]).Length);
        Assert.DoesNotContain(CrashPoint.CommitPruned, reached);

        Age(log, 1, 10);
        log.Prune();
        Assert.False(File.Exists(At(10)));
        Assert.True(File.Exists(At(11)));
        Assert.Contains(CrashPoint.CommitPruned, reached);

        Age(log, 11, 40);
        log.Prune();
        Assert.Equal(CommitLog.EntriesKept, Directory.GetFiles(folder["log"]).Length);
        Assert.Equal(40, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_torn_or_altered_newest_entry_stops_it()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        log.TryAppend(Entry(2));
        var whole = File.ReadAllBytes(At(2));
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(At(2), whole[..length]);
            AssertStops(log, At(2));
        }
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Where((at, value) => whole[at] != value).Sample((at, value) =>
        {
            File.WriteAllBytes(At(2), [.. whole[..at], value, .. whole[(at + 1)..]]);
            AssertStops(log, At(2));
        }, iter: 500, threads: 1);
    }

    [Fact]
    public void an_entry_of_a_later_version_is_not_followed()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        File.WriteAllText(At(2), "{\"version\": 4, \"what\": \"ever\"}");
        AssertStops(log, "format version 4");
    }

    [Fact]
    public void an_entry_of_another_partition_or_topic_or_number_stops_it()
    {
        NewLog().TryAppend(Entry(1) with { Partition = 5 });
        AssertStops(NewLog(), "partition 5");
        File.Delete(At(1));
        NewLog().TryAppend(Entry(1) with { Topic = LakeRows.Topic with { TopicId = "another" } });
        AssertStops(NewLog(), "another");
        File.Move(At(1), At(7));
        AssertStops(NewLog(), "number 1");
    }

    [Fact]
    public void files_of_other_names_are_passed_over()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        string[] others =
        [
            "9.json", "0000000000000000000x.json", "accept-loss-from-3",
            ".00000000000000000009.json.x.tmp", "00000000000000000009.json.bak",
        ];
        foreach (var name in others)
            File.WriteAllText(Path.Combine(folder["log"], name), "");
        Assert.Equal(1, log.ReadNewest()!.Sequence);
    }

    internal static CommitEntry Entry(long sequence, string writer = "w-1") => new(
        sequence, writer, new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), LakeRows.Topic, 3, 10, 19,
        [new CommittedFile(
            "order_date=2026-03-01/part-3-10-19.parquet", "order_date=2026-03-01/.part-3-10-19.parquet.w-1.tmp", 9, 10, 19, 1234)],
        [new CommittedFile("_quarantine/quarantine-3-12-12.jsonl", "_quarantine/.quarantine-3-12-12.jsonl.w-1.tmp", 1, 12, 12, 99)],
        new PartitionState(20, "0123456789abcdef", true, true, 100, 1, 7));

    private static void AssertStops(CommitLog log, string expected)
    {
        var e = Assert.Throws<PipelineException>(() => log.ReadNewest());
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(expected, e.Problem);
    }

    /// <summary>Its first entries were used and are gone.</summary>
    private CommitLog PrunedLog()
    {
        var log = NewLog();
        for (var i = 1; i <= 40; i++) log.TryAppend(Entry(i));
        Age(log, 1, 40);
        log.Prune();
        return log;
    }

    /// <param name="create">What becomes of the exclusive creation; null: what the folder makes of it.</param>
    private CommitLog NewLog(Func<Func<bool>, bool>? create = null)
    {
        var files = new LakeFolder(folder.Path, new CrashPoints(reached.Add));
        return Log(create is null ? files : new FaultyFiles(files) { Create = create });
    }

    private CommitLog Log(ILakeFiles checkpoint) => new(checkpoint, "log", LakeRows.Topic, 3, time, new CrashPoints(reached.Add));

    private string At(long sequence) => folder["log", $"{sequence:D20}.json"];

    private void Age(CommitLog log, int from, int to)
    {
        for (var i = from; i <= to; i++)
            if (File.Exists(At(i))) File.SetLastWriteTimeUtc(At(i), (time.GetUtcNow() - TimeSpan.FromHours(25)).UtcDateTime);
    }
}
