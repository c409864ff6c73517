using OrdersStream.Durable;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>A place in memory, which keeps what <see cref="ILakeFiles"/> promises; a process that ends finds what it had done.</summary>
internal sealed class MemoryFiles
{
    private readonly SortedDictionary<string, byte[]> files = new(StringComparer.Ordinal);

    /// <summary>As a process sees it, which may end behind any durable step.</summary>
    public ILakeFiles SeenBy(CrashPoints crashPoints, TimeProvider time) => new View(files, crashPoints, time);

    private sealed class View(SortedDictionary<string, byte[]> files, CrashPoints crashPoints, TimeProvider time) : ILakeFiles
    {
        public string Locate(string path) => "/memory/" + path;

        public async Task<long> WriteHiddenAsync(
            string path, Func<Stream, CancellationToken, Task> write, CancellationToken cancellationToken)
        {
            using var content = new MemoryStream();
            await write(content, cancellationToken);
            crashPoints.Reached(CrashPoint.DataFileWritten);
            if (!TryAdd(path, content.ToArray())) throw new IOException("the name is taken");
            crashPoints.Reached(CrashPoint.DataFileSynced);
            return content.Length;
        }

        public bool TryCreate(string path, ReadOnlySpan<byte> content, CrashPoint step)
        {
            if (!TryAdd(path, content.ToArray())) return false;
            crashPoints.Reached(step);
            return true;
        }

        public bool TryReveal(string hidden, string path)
        {
            lock (files)
            {
                if (!files.TryGetValue(hidden, out var content)) throw new FileNotFoundException(null, hidden);
                if (!files.TryAdd(path, content)) return false;
                files.Remove(hidden);
            }
            crashPoints.Reached(CrashPoint.DataFileRenamed);
            return true;
        }

        public void SyncNames(IEnumerable<string> paths, CrashPoint step) => crashPoints.Reached(step);

        public LakeFileInfo? Find(string path)
        {
            lock (files) return files.TryGetValue(path, out var content) ? new(content.Length, time.GetUtcNow()) : null;
        }

        public IEnumerable<string> List(string folder) => ListAll(folder).Where(f => Rest(f, folder).IndexOf('/') < 0);

        public IEnumerable<string> ListAll(string folder)
        {
            lock (files) return [.. files.Keys.Where(f => folder.Length == 0 || f.StartsWith(folder + "/", StringComparison.Ordinal))];
        }

        public IEnumerable<string> Folders(string folder) => ListAll(folder).Select(f => (File: f, Slash: Rest(f, folder).IndexOf('/')))
            .Where(x => x.Slash >= 0)
            .Select(x => x.File[..(x.File.Length - Rest(x.File, folder).Length + x.Slash)]).Distinct();

        public Stream OpenRead(string path)
        {
            lock (files)
                return files.TryGetValue(path, out var content)
                    ? new MemoryStream(content, writable: false) : throw new FileNotFoundException(null, path);
        }

        public void Remove(string path)
        {
            lock (files) files.Remove(path);
        }

        public int RemoveLeftovers(DateTimeOffset now) => 0;

        private bool TryAdd(string path, byte[] content)
        {
            lock (files) return files.TryAdd(path, content);
        }

        private static string Rest(string file, string folder) => folder.Length == 0 ? file : file[(folder.Length + 1)..];
    }
}
