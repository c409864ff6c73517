using System.Diagnostics;
using System.Globalization;

namespace OrdersStream.ReliabilityTests.Memory;

/// <summary>
/// A control group of Linux that holds processes to so much memory, as a container does: the kernel kills one that wants more. Its swap is
/// none, and pages of files that were read or written count until they are needed elsewhere.
/// </summary>
internal sealed class MemoryCgroup : IAsyncDisposable
{
    /// <summary>
    /// Where the controller of memory is, and how its limits of memory, and of memory with swap or of swap, are called: version 1, version
    /// 2.
    /// </summary>
    private static readonly (string Root, string Limit, string Swap, bool SwapIncludesMemory)[] Controllers =
    [
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", true),
        ("/sys/fs/cgroup", "memory.max", "memory.swap.max", false),
    ];

    private const string Members = "cgroup.procs";

    private readonly string folder;

    private MemoryCgroup(string folder) => this.folder = folder;

    /// <returns>Null where this process may make none: it is not root, or the controller is not mounted or belongs to somebody
    /// else.</returns>
    public static MemoryCgroup? TryCreate(long bytes)
    {
        foreach (var (root, limit, swap, swapIncludesMemory) in Controllers)
        {
            var folder = Path.Combine(root, $"orders-stream-test-{Guid.NewGuid():N}");
            try
            {
                if (!Directory.Exists(root)) continue;
                Directory.CreateDirectory(folder);
                if (Write(limit, bytes))
                {
                    Write(swap, swapIncludesMemory ? bytes : 0); // not there where swap is not accounted for
                    using (File.OpenWrite(Path.Combine(folder, Members))) return new MemoryCgroup(folder);
                }
                Directory.Delete(folder);
            }
            catch (Exception e) when (e is UnauthorizedAccessException or IOException)
            {
                if (Directory.Exists(folder)) Directory.Delete(folder);
            }

            // What is no group with this controller lacks the file, and none can be made there.
            bool Write(string file, long value)
            {
                if (!File.Exists(Path.Combine(folder, file))) return false;
                File.WriteAllText(Path.Combine(folder, file), value.ToString(CultureInfo.InvariantCulture));
                return true;
            }
        }
        return null;
    }

    /// <summary>The process will be in the group before its program begins.</summary>
    public void Hold(ProcessStartInfo start)
    {
        string[] command = ["-c", "echo $$ > \"$0\" && exec \"$@\"", Path.Combine(folder, Members), start.FileName, .. start.ArgumentList];
        start.FileName = "/bin/sh";
        start.ArgumentList.Clear();
        foreach (var argument in command) start.ArgumentList.Add(argument);
    }

    /// <summary>
    /// All processes in it have ended; the kernel may notice a moment later. One that stays is empty, and in nobody's way.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        for (var attempt = 1; attempt <= 20 && Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder);
            }
            catch (IOException)
            {
                await Task.Delay(50);
            }
        }
    }
}
