using System.Diagnostics;
using OrdersStream.Diagnostics;

namespace OrdersStream.Status;

/// <summary>A folder's files were not read in time: what is in it is not known.</summary>
internal sealed class SilentFolderException(string folder, TimeSpan waited) : PipelineException(
    FailureAction.Retry,
    $"The folder '{folder}' did not answer within {waited.TotalSeconds:0.#} s.",
    "Look at the file system that it lies on: a mount hangs, or is slow.");

/// <summary>
/// Looks at folders from a thread that may be left behind, since a call to a mount that hangs never ends: one for each folder, however
/// often somebody asks (invariant 7). A large folder on a slow mount only takes its time: for a while what was last seen stands for it.
/// </summary>
internal sealed class FolderReading
{
    /// <summary>So long what was seen of a folder may stand for what is there.</summary>
    private static readonly TimeSpan SeenMax = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private readonly Dictionary<string, Task> looks = [];
    private readonly Dictionary<(string, Type), (object? What, long At)> seen = [];

    /// <param name="folder">Which folder.</param>
    /// <param name="look">Reads what is wanted of it.</param>
    /// <param name="timeout">How long that may take.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SilentFolderException">It has not ended, or one from before has not.</exception>
    public async Task<T> ReadAsync<T>(string folder, Func<Task<T>> look, TimeSpan timeout, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (running, own) = Begin(folder, look);
            try
            {
                // Its failure is its own.
                await Task.WhenAny(running).WaitAsync(timeout, cancellationToken);
            }
            catch (TimeoutException)
            {
                return TrySeen<T>(folder, out var what) ? what : throw new SilentFolderException(folder, timeout);
            }
            if (own is not null) return await own;
        }
    }

    private bool TrySeen<T>(string folder, out T what)
    {
        lock (gate)
        {
            var isSeen = seen.TryGetValue((folder, typeof(T)), out var last) && Stopwatch.GetElapsedTime(last.At) <= SeenMax;
            what = isSeen ? (T)last.What! : default!;
            return isSeen;
        }
    }

    /// <returns>The look that is under way; and the same, where it is of what was asked for.</returns>
    private (Task Running, Task<T>? Own) Begin<T>(string folder, Func<Task<T>> look)
    {
        lock (gate)
        {
            if (looks.GetValueOrDefault(folder) is { IsCompleted: false } other) return (other, other as Task<T>);
            var own = Task.Run(() => SeeAsync(folder, look), CancellationToken.None);
            looks[folder] = own;
            return (own, own);
        }
    }

    private async Task<T> SeeAsync<T>(string folder, Func<Task<T>> look)
    {
        var what = await look();
        lock (gate) seen[(folder, typeof(T))] = (what, Stopwatch.GetTimestamp());
        return what;
    }
}
