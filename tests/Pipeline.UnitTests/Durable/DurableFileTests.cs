using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.UnitTests.Durable;

public sealed class DurableFileTests : IDisposable
{
    private static DurableStep Step => CrashPoints.None.Before(CrashPoint.WatermarkWritten);

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void replace_creates_the_folder_and_overwrites_whole()
    {
        var path = folder["a", "b", "state.json"];
        DurableFile.Replace(path, "first, and long"u8, Step);
        DurableFile.Replace(path, "second"u8, Step);
        Assert.Equal("second", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder["a", "b"]));
    }

    [Fact]
    public void an_exclusive_name_is_given_once_and_its_content_stays()
    {
        var path = folder["log", "1.json"];
        Assert.True(DurableFile.TryCreateExclusive(path, "mine"u8, Step));
        Assert.False(DurableFile.TryCreateExclusive(path, "theirs"u8, Step));
        Assert.Equal("mine", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder["log"]));
    }

    /// <summary>As on a share: the client looks whether the name is free, and the server's rename replaces what is there by then.</summary>
    [Fact]
    public void without_links_a_name_is_given_once_though_its_rename_replaces()
    {
        var (mine, theirs, path) = (Written("mine"), Written("theirs"), folder["1.json"]);
        var other = "";

        Assert.True(ExclusiveName.TryRenameUnderClaim(mine, path, (from, to) => Rename(from, to, between: () =>
        {
            var refused = Assert.Throws<PipelineException>(() => ExclusiveName.TryRenameUnderClaim(theirs, to, (f, t) => Rename(f, t)));
            other = refused.Problem;
            Assert.Equal(FailureAction.Retry, refused.Action);
        })));

        Assert.StartsWith($"Another writer is about to give '{path}' its content", other);
        Assert.False(ExclusiveName.TryRenameUnderClaim(theirs, path, (f, t) => Rename(f, t)));
        Assert.Equal("mine", File.ReadAllText(path));
        Assert.Equal([path, theirs], Directory.GetFileSystemEntries(folder.Path).Order());
    }

    /// <summary>And its remedy, followed.</summary>
    [Fact]
    public void who_died_behind_a_claim_is_told_and_a_claim_beside_a_name_that_is_taken_is_nobodys()
    {
        var (mine, path) = (Written("mine"), folder["1.json"]);
        Assert.Throws<InvalidOperationException>(() => ExclusiveName.TryRenameUnderClaim(mine, path, (_, _) =>
        {
            foreach (var file in Directory.GetFiles(folder.Path, ".*")) File.Copy(file, folder["claim"]);
            throw new InvalidOperationException("killed");
        }));
        var claim = folder[$".1.json.{Guid.Empty:N}.tmp"];
        File.Move(folder["claim"], claim);

        var refused = Assert.Throws<PipelineException>(() => ExclusiveName.TryRenameUnderClaim(mine, path, (f, t) => Rename(f, t)));
        Assert.Contains($"'{claim}' is there", refused.Problem);
        Assert.Contains("remove it", refused.Verdict.Check);
        File.Delete(claim);
        Assert.True(ExclusiveName.TryRenameUnderClaim(mine, path, (f, t) => Rename(f, t)));
        File.WriteAllText(claim, "");
        Assert.False(ExclusiveName.TryRenameUnderClaim(Written("theirs"), path, (f, t) => Rename(f, t)));
        // A day later it goes with what writers leave.
        Assert.Equal(1, DurableFile.RemoveLeftovers(folder.Path, DateTimeOffset.MaxValue));
    }

    private string Written(string content)
    {
        var path = folder[$"{content}.new"];
        File.WriteAllText(path, content);
        return path;
    }

    private static int Rename(string from, string to, Action? between = null)
    {
        if (File.Exists(to)) return Errno.EEXIST;
        between?.Invoke();
        File.Move(from, to, overwrite: true);
        return 0;
    }

    [Fact]
    public async Task of_many_that_create_one_name_exactly_one_wins()
    {
        for (var round = 0; round < 20; round++)
        {
            var path = folder["race", $"{round}.json"];
            using var start = new Barrier(4);
            var writers = Enumerable.Range(0, 4).Select(w => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                return DurableFile.TryCreateExclusive(path, [(byte)w], Step) ? w : -1;
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
            var winner = Assert.Single(await Task.WhenAll(writers), w => w >= 0);
            Assert.Equal([(byte)winner], File.ReadAllBytes(path));
        }
    }

    [Fact]
    public void a_rename_never_overwrites()
    {
        File.WriteAllText(folder["from"], "new");
        File.WriteAllText(folder["to"], "old");
        Assert.False(DurableFile.TryRenameExclusive(folder["from"], folder["to"], Step));
        Assert.Equal("old", File.ReadAllText(folder["to"]));
        Assert.Equal("new", File.ReadAllText(folder["from"]));
    }

    [Fact]
    public void a_rename_to_a_free_name_moves_the_file()
    {
        File.WriteAllText(folder["from"], "new");
        Assert.True(DurableFile.TryRenameExclusive(folder["from"], folder["to"], Step));
        Assert.Equal("new", File.ReadAllText(folder["to"]));
        Assert.False(File.Exists(folder["from"]));
    }

    [Fact]
    public void a_rename_of_what_is_not_there_says_so()
    {
        var e = Assert.Throws<FileNotFoundException>(() => DurableFile.TryRenameExclusive(folder["from"], folder["to"], Step));
        Assert.Contains(folder["from"], e.Message);
    }

    [Fact]
    public void a_failed_replace_leaves_no_temporary_file()
    {
        Directory.CreateDirectory(folder["taken", "inside"]);
        Assert.ThrowsAny<Exception>(() => DurableFile.Replace(folder["taken"], "x"u8, Step));
        Assert.Equal([folder["taken"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void files_and_folders_are_not_writable_by_others()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has access lists instead of modes");
            return;
        }
        DurableFile.Replace(folder["made", "file"], "x"u8, Step);
        const UnixFileMode Others = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(folder["made", "file"]) & Others);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(folder["made"]) & Others);
        Assert.True(File.GetUnixFileMode(folder["made", "file"]).HasFlag(UnixFileMode.OtherRead));
    }

    [Fact]
    public void syncing_a_missing_folder_says_which()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows needs no fsync of folders");
        DurableFile.SyncDirectory(folder.Path, Step);
        Assert.Contains(folder["none"], Assert.Throws<IOException>(() => DurableFile.SyncDirectory(folder["none"], Step)).Message);
    }
}
