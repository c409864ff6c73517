using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Lake;

/// <summary>The lake's files say what they hold, also when the commit log no longer does.</summary>
public sealed class LogRecoveryTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_lost_log_is_rebuilt_and_nothing_is_stored_twice()
    {
        Topic.Page(0, 3, value: i => i == 2 ? "poison" : TestTopic.Row(i, $"2026-03-0{i + 1}"));
        Topic.Page(1, 2);
        await lake.StoreAsync(Topic.All);
        var files = lake.Files();
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);

        Assert.Equal(5, (await lake.StoreAsync(Topic.All)).AlreadyStored);
        Assert.Equal(files, lake.Files());
        Topic.Page(0, 2);
        await lake.StoreAsync([Topic[0][4]]);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>It has no footer that would tell its number.</summary>
    [Fact]
    public async Task a_page_that_is_wholly_in_quarantine_is_not_taken_for_a_new_one_behind_a_lost_log()
    {
        Topic.Framed(0, 3, [1]);
        Topic.Framed(0, 4, [2], previous: 3, value: _ => "poison");
        await lake.StoreAsync(Topic.All);
        var files = lake.Files();
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);

        await lake.StoreAsync(Topic.All);
        Assert.Equal(files, lake.Files());
        Topic.Framed(0, 5, [3], previous: 4);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_log_restored_from_an_old_copy_is_brought_up_to_the_lake()
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        using var copy = new TempFolder();
        TestLake.CopyFolder(lake.Checkpoint, copy.Path);
        await lake.StoreAsync(Topic.Page(0, 3));
        await lake.StoreAsync(Topic.Page(0, 3));
        Directory.Delete(lake.Checkpoint, recursive: true);
        TestLake.CopyFolder(copy.Path, lake.Checkpoint);

        using var instance = lake.NewInstance();
        Assert.Equal(11, await lake.NextOffsetAsync(0));
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        Topic.Page(0, 3);
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>By a storer that has the partition open, and is about to ask where to begin.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_log_that_is_put_back_under_a_running_storer_is_not_taken_for_what_the_lake_has(bool isEmpty)
    {
        using var copy = new TempFolder();
        if (!isEmpty) await lake.StoreAsync(Topic.Page(0, 3));
        TestLake.CopyFolder(lake.Checkpoint, copy.Path);
        using var instance = lake.NewInstance();
        Topic.Page(0, 3);
        await instance.StoreAsync(Topic.All, Token);
        var batch = await instance.OpenBatchAsync(Token, readsInOrder: true);
        var next = await batch.NextOffsetAsync(0, Token);
        PutBack(copy);

        var refused = await Assert.ThrowsAsync<PipelineException>(() => batch.NextOffsetAsync(0, Token));
        Assert.Equal(FailureAction.Retry, refused.Action);
        Assert.Contains("was put back to an earlier state", refused.Problem, StringComparison.Ordinal);
        Assert.Equal(next, await lake.NextOffsetAsync(0));
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>What others stored since this one listed the lake is in the lake, and no longer in their log.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task a_partition_that_comes_later_is_opened_by_what_the_lake_has_then(bool isDelivered)
    {
        await lake.StoreAsync([.. Topic.Page(0, 3), .. Topic.Page(1, 3)]);
        using var copy = new TempFolder();
        TestLake.CopyFolder(lake.Checkpoint, copy.Path);
        using var instance = lake.NewInstance();
        Topic.Page(0, 3);
        var batch = await instance.OpenBatchAsync(Token, readsInOrder: true);
        if (isDelivered) await instance.StoreAsync([.. Topic[0]], Token);
        else await batch.NextOffsetAsync(0, Token);

        await lake.StoreAsync(Topic.Page(1, 3));
        Directory.Delete(lake.PartitionLog(1), recursive: true);
        TestLake.CopyFolder(Path.Combine(copy.Path, Path.GetRelativePath(lake.Checkpoint, lake.PartitionLog(1))), lake.PartitionLog(1));
        batch.PartitionsCome();
        if (!isDelivered) Assert.Equal(7, await batch.NextOffsetAsync(1, Token));
        else await instance.StoreAsync([.. Topic[1]], Token);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task within_an_interval_it_is_noticed_that_lake_or_log_were_put_back_though_nothing_comes(bool isLake)
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        using var copy = new TempFolder();
        var place = isLake ? lake.Root : lake.Checkpoint;
        TestLake.CopyFolder(place, copy.Path);
        await lake.StoreAsync(Topic.Page(0, 3));
        using var instance = lake.NewInstance();
        var batch = await instance.OpenBatchAsync(Token, readsInOrder: true);
        await batch.NextOffsetAsync(0, Token);
        PutBack(copy, place);

        batch.CheckWhenDue(TimeSpan.FromSeconds(10));
        lake.Time.Advance(TimeSpan.FromSeconds(10));
        var noticed = Assert.Throws<PipelineException>(() => batch.CheckWhenDue(TimeSpan.FromSeconds(10)));
        Assert.Contains("What was committed of partition 0 is not there any more", noticed.Problem, StringComparison.Ordinal);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private void PutBack(TempFolder copy, string? place = null)
    {
        place ??= lake.Checkpoint;
        Directory.Delete(place, recursive: true);
        TestLake.CopyFolder(copy.Path, place);
    }

    /// <summary>In a lake that earlier versions let two streams share; names of quarantine files tell no topic.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task files_of_another_topic_are_not_taken_for_ours(bool isPoison)
    {
        using var other = new TestLake();
        other.Topic.Identity = new("cluster-1", "invoices", "topic-id-2");
        other.Topic.Skip(0, 1);
        await other.StoreAsync(other.Topic.Page(0, 9, value: i => isPoison ? "poison" : TestTopic.Row(i)));
        await lake.StoreAsync(Topic.Page(0, 3));
        foreach (var file in other.Files())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(lake.Root, file))!);
            File.Copy(Path.Combine(other.Root, file), Path.Combine(lake.Root, file));
        }
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);

        Topic.Page(0, 3);
        var result = await lake.StoreAsync(Topic.All);
        Assert.Equal((3, 3), (result.Rows, result.AlreadyStored));
    }

    [Fact]
    public async Task a_lost_log_of_a_half_renamed_commit_stops_it()
    {
        Topic.Page(0, 3, value: i => TestTopic.Row(i, i == 1 ? "2026-03-02" : "2026-03-01"));
        using (var instance = lake.NewInstance(p =>
        {
            if (p == CrashPoint.DataFileRenamed) throw new CrashException();
        }))
            await Assert.ThrowsAsync<CrashException>(() => instance.StoreAsync(Topic.All, CancellationToken.None));
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);

        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(".part-0-1-1.parquet", e.Problem);
    }

    /// <summary>What its first file has ends inside the page: the rest is its rest, and nothing that the lake has already.</summary>
    [Theory]
    [InlineData(false, false, false)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    public async Task a_lost_log_of_a_half_renamed_commit_is_made_again_inside_its_page(bool isNamed, bool isHiddenGone, bool isOpenedTwice)
    {
        string[] days = ["2026-03-01", "2026-03-01", "2026-03-02", "2026-03-02"];
        Topic.Framed(0, 7, [1, 2, 3, 4], isNamed: isNamed, value: id => TestTopic.Row(id, days[id - 1]));
        using (var instance = lake.NewInstance(p =>
        {
            if (p == CrashPoint.DataFileRenamed) throw new CrashException();
        }))
            await Assert.ThrowsAsync<CrashException>(() => instance.StoreAsync(Topic.All, CancellationToken.None));
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);
        var hidden = Assert.Single(lake.Files(), f => f.Contains("/.", StringComparison.Ordinal));
        if (isHiddenGone) File.Delete(Path.Combine(lake.Root, hidden));

        // Whoever opens it twice, or delivers it in pieces, goes on in the same place.
        if (isOpenedTwice) Assert.Equal(2, await lake.NextOffsetAsync(0));
        foreach (var batch in Topic.All.Chunk(isOpenedTwice ? 1 : 4)) await lake.StoreAsync(batch);
        Topic.Framed(0, 9, [5, 6], previous: 7, isNamed: isNamed);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Equal([(1, 7), (2, 7), (3, 7), (4, 7), (5, 9), (6, 9)], await lake.VersionsAsync());
        Assert.Empty(lake.Quarantined());
        Assert.DoesNotContain(lake.Log.Lines, l => l.Id is 3012 or 3013 or 3014);
    }

    [Fact]
    public async Task a_file_that_is_in_the_way_is_neither_overwritten_nor_counted()
    {
        Topic.Page(0, 3);
        var path = Path.Combine(lake.Root, "order_date=2026-02-28", "part-0-0-2.parquet");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "foreign");
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Equal("foreign", File.ReadAllText(path));
        Assert.Single(lake.Files());
    }
}
