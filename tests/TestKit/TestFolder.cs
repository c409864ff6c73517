namespace OrdersStream.TestKit;

/// <summary>A temporary folder that nobody else has, gone with all that is in it when its user is.</summary>
public sealed class TestFolder : IDisposable
{
    private readonly DirectoryInfo folder;

    /// <param name="purpose">A word of its name, so that one that is left behind tells whose it was.</param>
    public TestFolder(string purpose = "test") => folder = Directory.CreateTempSubdirectory($"orders-stream-{purpose}-");

    public string Path => folder.FullName;

    /// <param name="names">A path inside it.</param>
    public string PathOf(params string[] names) => System.IO.Path.Combine([Path, .. names]);

    /// <summary>All that is in it, hidden files too.</summary>
    public IEnumerable<FileInfo> Files() =>
        folder.EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 });

    public void Dispose() => folder.Delete(recursive: true);
}
