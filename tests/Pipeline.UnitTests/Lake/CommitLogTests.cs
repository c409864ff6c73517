using CsCheck;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake;
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
        Assert.Equal("00000000000000000002.json", Path.GetFileName(log.PathOf(2)));
        Assert.StartsWith("{\n  \"version\": 1,\n", File.ReadAllText(log.PathOf(2)));
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
        var log = NewLog((path, content) => DurableFile.TryCreateExclusive(path, content, CrashPoints.None.Before(CrashPoint.CommitCreated)) && false);
        Assert.True(log.TryAppend(Entry(1)));
        Assert.Equal(1, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_create_that_was_done_but_reported_failed_is_ours()
    {
        var log = NewLog((path, content) => throw new IOException(DurableFile.TryCreateExclusive(path, content, CrashPoints.None.Before(CrashPoint.CommitCreated)) ? "the answer was lost" : "taken"));
        Assert.True(log.TryAppend(Entry(1)));
    }

    [Fact]
    public void a_create_that_failed_fails()
    {
        var log = NewLog((_, _) => throw new IOException("disk full"));
        Assert.Throws<IOException>(() => log.TryAppend(Entry(1)));
        Assert.Null(log.ReadNewest());
    }

    [Fact]
    public void a_writer_that_slept_past_the_pruning_of_its_number_is_void()
    {
        var log = PrunedLog();
        Assert.False(File.Exists(log.PathOf(3)));

        Assert.False(log.TryAppend(Entry(3, "sleeper")));
        Assert.False(File.Exists(log.PathOf(3)));
        Assert.Equal(40, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_writer_that_dies_once_its_void_entry_is_withdrawn_leaves_a_log_that_goes_on()
    {
        var log = PrunedLog();
        var sleeper = new CommitLog(log.Directory, LakeRows.Topic, 3, time, new CrashPoints(p =>
        {
            if (p == CrashPoint.CommitWithdrawn) throw new CrashException();
        }));
        Assert.Throws<CrashException>(() => sleeper.TryAppend(Entry(3, "sleeper")));

        var next = NewLog();
        Assert.Equivalent(Entry(40), next.ReadNewest(), strict: true);
        Assert.False(next.TryAppend(Entry(40, "next")));
        Assert.True(next.TryAppend(Entry(41, "next")));
        next.Prune();
        var last = NewLog();
        Assert.Equivalent(Entry(41, "next"), last.ReadNewest(), strict: true);
        Assert.Equal(Enumerable.Range(41 - CommitLog.EntriesKept + 1, CommitLog.EntriesKept).Select(i => last.PathOf(i)), Directory.GetFiles(last.Directory).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void the_newest_entries_and_those_of_a_day_are_kept()
    {
        var log = NewLog();
        for (var i = 1; i <= 40; i++) log.TryAppend(Entry(i));
        log.Prune();
        Assert.Equal(40, Directory.GetFiles(log.Directory).Length);
        Assert.DoesNotContain(CrashPoint.CommitPruned, reached);

        Age(log, 1, 10);
        log.Prune();
        Assert.False(File.Exists(log.PathOf(10)));
        Assert.True(File.Exists(log.PathOf(11)));
        Assert.Contains(CrashPoint.CommitPruned, reached);

        Age(log, 11, 40);
        log.Prune();
        Assert.Equal(CommitLog.EntriesKept, Directory.GetFiles(log.Directory).Length);
        Assert.Equal(40, log.ReadNewest()!.Sequence);
    }

    [Fact]
    public void a_torn_or_altered_newest_entry_stops_it()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        log.TryAppend(Entry(2));
        var whole = File.ReadAllBytes(log.PathOf(2));
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(log.PathOf(2), whole[..length]);
            AssertStops(log, log.PathOf(2));
        }
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Where((at, value) => whole[at] != value).Sample((at, value) =>
        {
            File.WriteAllBytes(log.PathOf(2), [.. whole[..at], value, .. whole[(at + 1)..]]);
            AssertStops(log, log.PathOf(2));
        }, iter: 500, threads: 1);
    }

    [Fact]
    public void an_entry_of_a_later_version_is_not_followed()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        File.WriteAllText(log.PathOf(2), "{\"version\": 2, \"what\": \"ever\"}");
        AssertStops(log, "format version 2");
    }

    [Fact]
    public void an_entry_of_another_partition_or_topic_or_number_stops_it()
    {
        NewLog().TryAppend(Entry(1) with { Partition = 5 });
        AssertStops(NewLog(), "partition 5");
        File.Delete(NewLog().PathOf(1));
        NewLog().TryAppend(Entry(1) with { Topic = LakeRows.Topic with { TopicId = "another" } });
        AssertStops(NewLog(), "another");
        File.Move(NewLog().PathOf(1), NewLog().PathOf(7));
        AssertStops(NewLog(), "number 1");
    }

    [Fact]
    public void files_of_other_names_are_passed_over()
    {
        var log = NewLog();
        log.TryAppend(Entry(1));
        foreach (var name in new[] { "9.json", "0000000000000000000x.json", "accept-loss-from-3", ".00000000000000000009.json.x.tmp", "00000000000000000009.json.bak" })
            File.WriteAllText(Path.Combine(log.Directory, name), "");
        Assert.Equal(1, log.ReadNewest()!.Sequence);
    }

    internal static CommitEntry Entry(long sequence, string writer = "w-1") => new(
        sequence, writer, new DateTimeOffset(2026, 3, 1, 12, 0, 0, TimeSpan.Zero), LakeRows.Topic, 3, 10, 19,
        [new CommittedFile("order_date=2026-03-01/part-3-10-19.parquet", "order_date=2026-03-01/.part-3-10-19.parquet.w-1.tmp", 9, 10, 19, 1234)],
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

    private CommitLog NewLog(Func<string, byte[], bool>? create = null) => new(folder["log"], LakeRows.Topic, 3, time, new CrashPoints(reached.Add), create);

    private void Age(CommitLog log, int from, int to)
    {
        for (var i = from; i <= to; i++)
            if (File.Exists(log.PathOf(i))) File.SetLastWriteTimeUtc(log.PathOf(i), (time.GetUtcNow() - TimeSpan.FromHours(25)).UtcDateTime);
    }
}
