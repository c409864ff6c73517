using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Lake;

public sealed class FinalNamesTests : IDisposable
{
    private static readonly CommitEntry Entry = CommitLogTests.Entry(1);
    private readonly TempFolder folder = new();

    public FinalNamesTests()
    {
        foreach (var file in Entry.AllFiles) Write(file.TemporaryPath, new string('x', (int)file.Bytes));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void files_are_renamed_and_again_is_harmless()
    {
        Rename();
        Rename();
        Assert.All(Entry.AllFiles, f => Assert.True(File.Exists(At(f.Path)) && !File.Exists(At(f.TemporaryPath))));
    }

    [Fact]
    public void a_rename_that_was_done_but_reported_failed_or_taken_is_done()
    {
        Rename(reveal => reveal() && false);
        Assert.All(Entry.AllFiles, f => Assert.True(File.Exists(At(f.Path))));
    }

    [Fact]
    public void a_file_with_both_names_loses_the_hidden_one()
    {
        foreach (var file in Entry.AllFiles) File.Copy(At(file.TemporaryPath), At(file.Path));
        Rename();
        Assert.All(Entry.AllFiles, f => Assert.True(File.Exists(At(f.Path)) && !File.Exists(At(f.TemporaryPath))));
    }

    [Fact]
    public void a_foreign_file_is_never_overwritten()
    {
        Write(Entry.Files[0].Path, "foreign");
        var e = Assert.Throws<PipelineException>(() => Rename());
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(Entry.Files[0].Path, e.Problem);
        Assert.Equal("foreign", File.ReadAllText(At(Entry.Files[0].Path)));
        Assert.True(File.Exists(At(Entry.Files[0].TemporaryPath)));
    }

    [Fact]
    public void a_committed_file_of_another_size_is_not_taken_for_it()
    {
        Rename();
        File.AppendAllText(At(Entry.Files[0].Path), "more");
        Assert.Throws<PipelineException>(() => Rename());
    }

    [Fact]
    public void a_committed_file_that_is_gone_stops_it_until_a_human_accepts()
    {
        Rename();
        File.Delete(At(Entry.Files[0].Path));
        var e = Assert.Throws<PipelineException>(() => Rename());
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(Entry.Files[0].Path, e.Problem);
        Assert.Contains("accept.me", e.Remedy);
        New().Give(Entry, acceptMissing: true, "accept.me");
    }

    private void Rename(Func<Func<bool>, bool>? reveal = null) => New(reveal).Give(Entry, acceptMissing: false, "accept.me");

    private FinalNames New(Func<Func<bool>, bool>? reveal = null) =>
        new(new FaultyFiles(new LakeFolder(folder.Path)) { Reveal = reveal ?? (operation => operation()) });

    private string At(string relative) => new LakeFolder(folder.Path).Locate(relative);

    private void Write(string relative, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(relative))!);
        File.WriteAllText(At(relative), content);
    }
}
