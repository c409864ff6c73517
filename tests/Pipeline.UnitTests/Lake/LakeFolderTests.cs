using OrdersStream.Durable;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Lake;

public sealed class LakeFolderTests : IDisposable
{
    private readonly TempFolder folder = new();

    private LakeFolder Lake => new(folder["lake"], CrashPoints.None);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void what_is_not_there_is_not_found()
    {
        Assert.Null(Lake.Find("none/at/all"));
        Assert.Empty(Lake.List("none"));
        Assert.Empty(Lake.Folders("none"));
        Directory.CreateDirectory(Path.Combine(folder["lake"], "a"));
        Assert.Null(Lake.Find("a/none"));
        Assert.Null(Lake.Find("a"));
        File.WriteAllText(Path.Combine(folder["lake"], "a", "b"), "four");
        Assert.Equal(4, Lake.Find("a/b")?.Bytes);
    }

    /// <summary>As of a file system that is away for a moment; a link that leads to itself needs no mounting.</summary>
    [Fact]
    public void what_cannot_be_looked_at_is_not_taken_for_absent()
    {
        Directory.CreateDirectory(folder["lake"]);
        File.CreateSymbolicLink(Path.Combine(folder["lake"], "loop"), "loop");
        Assert.Throws<IOException>(() => Lake.Find("loop/file"));
        Assert.Throws<IOException>(() => Lake.List("loop/folder").ToList());
        Assert.Throws<IOException>(() => Lake.SyncNames(["loop/folder/file"], CrashPoint.DirectorySynced));
    }
}
