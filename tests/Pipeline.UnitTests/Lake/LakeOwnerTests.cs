using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Store;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Lake;

/// <summary>Invariant 6: the lake's folder has an owner, and is written to only where it is there and this stream's.</summary>
public sealed class LakeOwnerTests : IDisposable
{
    private readonly TestLake lake = new();

    public void Dispose() => lake.Dispose();

    private TestTopic Topic => lake.Topic;
    private string Away => lake.Root + "-away";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_lake_says_whose_it_is_before_it_holds_anything()
    {
        using var instance = lake.NewInstance();
        await instance.OpenBatchAsync(Token);
        Assert.Empty(lake.Files());
        var file = File.ReadAllBytes(lake.OwnerFile);
        Assert.Equal(Topic.Identity, OwnerFile.Read(file, lake.OwnerFile));
        Assert.Contains("\"owner\": \"orders\"", File.ReadAllText(lake.OwnerFile));

        await lake.StoreAsync(Topic.Page(0, 3));
        Assert.Equal(file, File.ReadAllBytes(lake.OwnerFile));
        Assert.DoesNotContain(LakeReader.Files(new LakeFolder(lake.Root)), f => f.Contains("orders_stream"));
    }

    /// <summary>Each with a commit log of its own, which by offsets and files would say that it has all to store.</summary>
    [Fact]
    public async Task a_second_commit_log_with_entries_of_its_own_is_refused()
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        using var copy = new TempFolder();
        TestLake.CopyFolder(lake.Checkpoint, copy.Path);
        foreach (var id in Directory.GetFiles(copy.Path, "log.json", SearchOption.AllDirectories)) File.Delete(id);
        Topic.Page(0, 2);
        using var first = lake.NewInstance();
        await first.StoreAsync(Topic.All, Token);
        using var own = new TempFolder();
        Swap(own, copy);

        var refused = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(FailureAction.Stop, refused.Action);
        Assert.Contains("The lake is filled by another commit log than this storer's", refused.Problem, StringComparison.Ordinal);

        // The remedy, where this one is to count.
        var named = Path.Combine(lake.Root, LakeOwner.LogFileName);
        Assert.Contains($"'{named}' names it", refused.Problem, StringComparison.Ordinal);
        File.Delete(named);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>The log was lost, and another took its place: who still has the old one does not commit by it any more.</summary>
    [Fact]
    public async Task a_storer_whose_commit_log_was_given_up_commits_nothing_more()
    {
        Topic.Page(0, 3);
        Topic.Page(0, 3);
        using var first = lake.NewInstance();
        await first.StoreAsync([.. Topic.All.Take(3)], Token);
        using var own = new TempFolder();
        using var empty = new TempFolder();
        TestLake.CopyFolder(Path.Combine(lake.Checkpoint, "schemas"), Path.Combine(empty.Path, "schemas"));
        Swap(own, empty);
        await lake.StoreAsync([.. Topic.All.Take(4)]);
        Swap(empty, own);

        var ended = await Assert.ThrowsAsync<PipelineException>(() => first.StoreAsync(Topic.All, Token));
        Assert.Equal(FailureAction.Retry, ended.Action);
        var refused = await Assert.ThrowsAsync<PipelineException>(() => first.StoreAsync(Topic.All, Token));
        Assert.Contains("by another commit log than this storer's", refused.Problem, StringComparison.Ordinal);
        Swap(own, empty);
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
    }

    /// <summary>What lies in the checkpoint's place is kept in one folder, and the other's content put there.</summary>
    private void Swap(TempFolder kept, TempFolder next)
    {
        TestLake.CopyFolder(lake.Checkpoint, kept.Path);
        Directory.Delete(lake.Checkpoint, recursive: true);
        TestLake.CopyFolder(next.Path, lake.Checkpoint);
    }

    [Fact]
    public async Task of_two_storers_that_begin_a_lake_one_names_it_and_both_store_in_it()
    {
        Topic.Page(0, 3);
        byte[]? others = null;
        using var first = lake.NewInstance(p =>
        {
            if (p != CrashPoint.StateFileSynced || others is not null) return;
            others = [];
            lake.StoreAsync([.. Topic.All.Take(1)]).GetAwaiter().GetResult();
            others = File.ReadAllBytes(lake.OwnerFile);
        });
        await first.StoreAsync(Topic.All, Token);
        Assert.Equal(others, File.ReadAllBytes(lake.OwnerFile));
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task the_lake_of_another_stream_is_refused_and_left_as_it_is(bool hasOwner, bool isPoison)
    {
        await lake.StoreAsync(Topic.Page(0, 3, value: i => isPoison ? "poison" : TestTopic.Row(i)));
        if (!hasOwner) File.Delete(lake.OwnerFile);
        using var other = new TestLake();
        other.Topic.Identity = new("cluster-1", "invoices", "topic-id-2");
        TestLake.CopyFolder(lake.Root, other.Root);
        var before = Everything(other);

        var e = await Assert.ThrowsAsync<PipelineException>(() => other.StoreAsync(other.Topic.Page(0, 5)));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("belongs to another stream, 'orders', and this is 'invoices'", e.Problem);
        Assert.Contains("datalake.path of its own", e.Remedy);
        Assert.Equal(before, Everything(other));
        Assert.False(Directory.Exists(Path.Combine(other.Checkpoint, "commits")));
    }

    [Fact]
    public async Task each_stream_with_a_path_of_its_own_goes_on()
    {
        await the_lake_of_another_stream_is_refused_and_left_as_it_is(hasOwner: false, isPoison: false);
        using var other = new TestLake();
        other.Topic.Identity = new("cluster-1", "invoices", "topic-id-2");
        await other.StoreAsync(other.Topic.Page(0, 5));
        await other.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task a_lake_of_an_earlier_version_gets_an_owner(bool isPoison)
    {
        await lake.StoreAsync(Topic.Page(0, 3, value: i => isPoison ? "poison" : TestTopic.Row(i)));
        File.Delete(lake.OwnerFile);
        Assert.Equal(3, (await lake.StoreAsync(Topic.All)).AlreadyStored);
        Assert.True(File.Exists(lake.OwnerFile));
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData("topic-id-2", true, FailureAction.Stop)]
    [InlineData("topic-id-2", false, FailureAction.Stop)]
    [InlineData(null, true, FailureAction.Retry)]
    public async Task a_topic_made_anew_does_not_go_on_in_the_lake_of_the_old_one(string? id, bool hasOwner, FailureAction action)
    {
        Topic.Identity = Topic.Identity with { ClusterId = "" };
        await lake.StoreAsync(Topic.Page(0, 3));
        if (!hasOwner) File.Delete(lake.OwnerFile);
        Directory.Delete(Path.Combine(lake.Checkpoint, "commits"), recursive: true);
        Topic.Identity = new(id is null ? "cluster-9" : "", "orders", id);

        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal(action, e.Action);
        Assert.Contains("The lake belongs to another topic of the name 'orders'", e.Problem);
        Assert.Contains("topic-id-1", e.Problem);
        Assert.Equal(hasOwner, File.Exists(lake.OwnerFile));
    }

    public enum InItsPlace
    {
        Nothing,
        AnEmptyFolder,
        AFolderOfTheFileSystem,
        AnotherLake,
    }

    [Theory]
    [InlineData(InItsPlace.Nothing, false)]
    [InlineData(InItsPlace.AnEmptyFolder, false)]
    [InlineData(InItsPlace.AFolderOfTheFileSystem, false)]
    [InlineData(InItsPlace.AnotherLake, false)]
    [InlineData(InItsPlace.Nothing, true)]
    [InlineData(InItsPlace.AnEmptyFolder, true)]
    [InlineData(InItsPlace.AFolderOfTheFileSystem, true)]
    public async Task where_the_lakes_volume_is_away_nothing_is_written_until_it_is_back(InItsPlace inItsPlace, bool isNewProcess)
    {
        var running = lake.NewInstance();
        try
        {
            await running.StoreAsync(Topic.Page(0, 3), Token);
            if (isNewProcess)
            {
                running.Dispose();
                running = lake.NewInstance();
            }
            MoveAway(inItsPlace);
            var before = Everything(lake);
            Topic.Page(0, 3);
            for (var i = 0; i < 2; i++) AssertAway(await Assert.ThrowsAsync<PipelineException>(() => running.StoreAsync(Topic.All, Token)));
            Assert.Equal(before, Everything(lake));

            MoveBack();
            Assert.Equal(3, (await running.StoreAsync(Topic.All, Token)).Rows);
            await lake.AssertStoredOnceAsync();
        }
        finally
        {
            running.Dispose();
        }
    }

    [Fact]
    public async Task a_process_knows_a_lake_in_which_nothing_is_stored_yet()
    {
        using var running = lake.NewInstance();
        await running.OpenBatchAsync(Token);
        MoveAway(InItsPlace.AnEmptyFolder);
        AssertAway(await Assert.ThrowsAsync<PipelineException>(() => running.StoreAsync(Topic.Page(0, 3), Token)));
        Assert.Empty(Everything(lake));
    }

    [Theory]
    [InlineData(CrashPoint.TemporaryNamesSynced)]
    [InlineData(CrashPoint.CommitCreated)]
    public async Task a_volume_that_goes_in_the_middle_of_a_commit_loses_nothing(CrashPoint point)
    {
        var armed = false;
        using var running = lake.NewInstance(p =>
        {
            if (!armed || p != point) return;
            armed = false;
            MoveAway(InItsPlace.AnEmptyFolder);
        });
        await running.StoreAsync(Topic.Page(0, 3), Token);
        Topic.Page(0, 3);
        armed = true;
        AssertAway(await Assert.ThrowsAsync<PipelineException>(() => running.StoreAsync(Topic.All, Token)));
        Assert.Empty(Everything(lake));
        Assert.Equal(point == CrashPoint.CommitCreated ? 2 : 1, Directory.GetFiles(lake.PartitionLog(0), "*.json").Length);

        MoveBack();
        await running.StoreAsync(Topic.All, Token);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task what_was_written_below_the_mount_point_meanwhile_is_removed_again()
    {
        var armed = false;
        using var running = lake.NewInstance(p =>
        {
            if (!armed || p != CrashPoint.TemporaryNamesSynced) return;
            armed = false;
            // As if it had gone a moment before.
            Directory.Move(lake.Root, Away);
            TestLake.CopyFolder(Away, lake.Root);
            foreach (var file in new DirectoryInfo(lake.Root).GetFiles("*", SearchOption.AllDirectories))
                if (file.Extension != ".tmp") file.Delete();
        });
        await running.StoreAsync(Topic.Page(0, 3), Token);
        Topic.Page(0, 3);
        armed = true;
        AssertAway(await Assert.ThrowsAsync<PipelineException>(() => running.StoreAsync(Topic.All, Token)));
        Assert.Empty(lake.Files());
    }

    [Fact]
    public async Task a_lake_removed_on_purpose_is_filled_again_once_its_commits_are_removed_too()
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        Directory.Delete(lake.Root, recursive: true);
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        AssertAway(e);
        var commits = Path.Combine(lake.Checkpoint, "commits");
        Assert.Contains($"remove '{commits}' too and start again", e.Verdict.Check);

        Directory.Delete(commits, recursive: true);
        Assert.Equal(3, (await lake.StoreAsync(Topic.All)).Rows);
        await lake.AssertStoredOnceAsync();
    }

    [Theory]
    [InlineData("", "it is not whole JSON")]
    [InlineData("""{"version":2}""", "it is of format version 2, and this program reads version 1")]
    public async Task an_owner_that_cannot_be_read_stops_it(string content, string why)
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        File.WriteAllText(lake.OwnerFile, content);
        var e = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(Topic.All));
        Assert.Equal((FailureAction.Stop, $"'{lake.OwnerFile}' cannot be used: {why}."), (e.Action, e.Problem));
        Assert.Equal(content, File.ReadAllText(lake.OwnerFile));
    }

    [Fact]
    public async Task a_look_is_due_once_an_interval()
    {
        var owner = new LakeOwner(new LakeFolder(lake.Root), new LakeFolder(lake.Checkpoint), lake.Time);
        await owner.ClaimAsync(Topic.Identity, _ => Task.FromResult(Topic.Ends), Token);
        owner.CheckWhenDue(TimeSpan.FromSeconds(5));
        MoveAway(InItsPlace.AnEmptyFolder);
        lake.Time.Advance(TimeSpan.FromSeconds(4));
        owner.CheckWhenDue(TimeSpan.FromSeconds(5));
        lake.Time.Advance(TimeSpan.FromSeconds(1));
        AssertAway(Assert.Throws<PipelineException>(() => owner.CheckWhenDue(TimeSpan.FromSeconds(5))));
    }

    [Fact]
    public async Task who_reads_is_told_that_the_lake_is_not_there_and_writes_nothing()
    {
        await CheckAsync();
        Assert.False(Directory.Exists(lake.Root));
        await lake.StoreAsync(Topic.Page(0, 3));
        await CheckAsync();
        MoveAway(InItsPlace.AnEmptyFolder);
        AssertAway(await Assert.ThrowsAsync<PipelineException>(CheckAsync));
        Assert.Empty(Everything(lake));
        MoveBack();
        File.Delete(lake.OwnerFile);
        await CheckAsync();
        Assert.False(File.Exists(lake.OwnerFile));

        Task CheckAsync() => LakeOwner.CheckAsync(new LakeFolder(lake.Root), new LakeFolder(lake.Checkpoint), Topic.Identity.Topic, Token);
    }

    /// <summary>Without a commit log nobody knows the topic's ids, and its name is enough to see that it is another's.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task who_reads_without_a_commit_log_is_told_that_the_lake_is_anothers(bool hasOwnerFile)
    {
        await lake.StoreAsync(Topic.Page(0, 3));
        if (!hasOwnerFile) File.Delete(lake.OwnerFile);
        using var none = new TempFolder();
        await CheckAsync("orders");
        var e = await Assert.ThrowsAsync<PipelineException>(() => CheckAsync("invoices"));
        Assert.Contains("belongs to another stream, 'orders', and this is 'invoices'", e.Problem);

        Task CheckAsync(string topic) =>
            LakeOwner.CheckIsThereAsync(new LakeFolder(lake.Root), new LakeFolder(none.Path), topic, Token);
    }

    private static void AssertAway(PipelineException e)
    {
        Assert.Equal(FailureAction.Retry, e.Action);
        Assert.StartsWith("The lake's volume went away: ", e.Problem);
        Assert.Contains("Mount ", e.Verdict.Check);
    }

    private void MoveAway(InItsPlace inItsPlace)
    {
        Directory.Move(lake.Root, Away);
        if (inItsPlace == InItsPlace.Nothing) return;
        Directory.CreateDirectory(lake.Root);
        if (inItsPlace == InItsPlace.AFolderOfTheFileSystem) Directory.CreateDirectory(Path.Combine(lake.Root, "lost+found"));
        if (inItsPlace == InItsPlace.AnotherLake) File.WriteAllBytes(lake.OwnerFile, OwnerFile.Write(Topic.Identity, "another"));
    }

    private void MoveBack()
    {
        if (Directory.Exists(lake.Root)) Directory.Delete(lake.Root, recursive: true);
        Directory.Move(Away, lake.Root);
    }

    /// <summary>All that lies where the lake should, folders too.</summary>
    private static List<string> Everything(TestLake lake) => Directory.Exists(lake.Root)
        ? [.. Directory.EnumerateFileSystemEntries(
            lake.Root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }).Order(StringComparer.Ordinal)]
        : ["(no folder)"];
}
