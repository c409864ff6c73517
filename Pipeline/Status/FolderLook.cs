using OrdersStream.Diagnostics;

namespace OrdersStream.Status;

/// <summary>A folder's files were not read in time: what is in it is not known.</summary>
internal sealed class SilentFolderException(string folder, TimeSpan waited) : PipelineException(
    FailureAction.Retry,
    $"The folder '{folder}' did not answer within {waited.TotalSeconds:0.#} s.",
    "Look at the file system that it lies on: a mount hangs, or is slow.");

/// <summary>
/// Looks at folders from a thread that may be left behind, since a call to a mount that hangs never ends: one for each folder, however
/// often somebody asks (invariant 7).
/// </summary>
internal sealed class FolderLook
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Task> looks = [];

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
                throw new SilentFolderException(folder, timeout);
            }
            if (own is not null) return await own;
        }
    }

    /// <returns>The look that is under way; and the same, where it is the one that was asked for.</returns>
    private (Task Running, Task<T>? Own) Begin<T>(string folder, Func<Task<T>> look)
    {
        lock (gate)
        {
            if (looks.GetValueOrDefault(folder) is { IsCompleted: false } other) return (other, null);
            var own = Task.Run(look, CancellationToken.None);
            looks[folder] = own;
            return (own, own);
        }
    }
}
