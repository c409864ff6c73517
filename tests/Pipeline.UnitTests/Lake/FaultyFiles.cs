using OrdersStream.Durable;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Lake;

/// <summary>A place whose operations fail, or whose answers are lost, as the test says: what a bad disk or share does.</summary>
internal sealed class FaultyFiles(ILakeFiles inner) : ILakeFiles
{
    /// <summary>What becomes of an exclusive creation; given the creation itself.</summary>
    public Func<Func<bool>, bool> Create { get; init; } = operation => operation();

    /// <summary>What becomes of a file's final name; given the naming itself.</summary>
    public Func<Func<bool>, bool> Reveal { get; init; } = operation => operation();

    /// <summary>Called for each operation before it is done, and again behind it; throwing there is the failure.</summary>
    public Action<bool> Around { get; init; } = _ => { };

    public string Locate(string path) => inner.Locate(path);

    public async Task<long> WriteHiddenAsync(string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
    {
        Around(false);
        var bytes = await inner.WriteHiddenAsync(path, write, cancellationToken);
        Around(true);
        return bytes;
    }

    public bool TryCreate(string path, ReadOnlySpan<byte> content, CrashPoint step)
    {
        var copy = content.ToArray();
        return Create(() => Do(() => inner.TryCreate(path, copy, step)));
    }

    public bool TryReveal(string hidden, string path) => Reveal(() => Do(() => inner.TryReveal(hidden, path)));

    public void SyncNames(IEnumerable<string> paths, CrashPoint step) => Do(() =>
    {
        inner.SyncNames(paths, step);
        return true;
    });

    public LakeFileInfo? Find(string path) => Do(() => inner.Find(path));

    public IEnumerable<string> List(string folder) => Do(() => inner.List(folder).ToList());

    public IEnumerable<string> ListAll(string folder) => Do(() => inner.ListAll(folder).ToList());

    public IEnumerable<string> Folders(string folder) => Do(() => inner.Folders(folder).ToList());

    public Stream OpenRead(string path) => Do(() => inner.OpenRead(path));

    public void Remove(string path) => Do(() =>
    {
        inner.Remove(path);
        return true;
    });

    public int RemoveLeftovers(DateTimeOffset now) => Do(() => inner.RemoveLeftovers(now));

    private T Do<T>(Func<T> operation)
    {
        Around(false);
        var result = operation();
        Around(true);
        return result;
    }
}
