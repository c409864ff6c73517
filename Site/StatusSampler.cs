using OrdersStream.Status;

namespace OrdersStream.Site;

/// <summary>
/// Observes everything every few seconds, whether somebody asks or not, so that the last day is known when somebody does; a restart of
/// the process included, where there is a file to keep it in.
/// </summary>
public sealed class StatusSampler(StatusSite site, FlowHistory history, TimeProvider time, FlowHistoryFile? file = null) : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5), KeepPeriod = TimeSpan.FromMinutes(1);

    /// <summary>A disk that hangs does not keep the process.</summary>
    private static readonly TimeSpan LastKeepMax = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stop = new();
    private Task sampling = Task.CompletedTask, keeping = Task.CompletedTask;
    private long keptAt;

    /// <summary>Begins with a sample at once.</summary>
    public StatusSampler Start()
    {
        history.IsSampled = true;
        keptAt = time.GetTimestamp();
        // Beside the sampling: a call to a mount that hangs never ends.
        keeping = Task.Run(() => history.Restore(file?.Read() ?? [], time.GetUtcNow()), CancellationToken.None);
        sampling = Task.Run(SampleAsync, CancellationToken.None);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await sampling;
        await Task.WhenAny(keeping, Task.Delay(LastKeepMax, time, CancellationToken.None));
        Keep();
        await Task.WhenAny(keeping, Task.Delay(LastKeepMax, time, CancellationToken.None));
        stop.Dispose();
    }

    private async Task SampleAsync()
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            do
            {
                await SampleOnceAsync();
                if (time.GetElapsedTime(keptAt) >= KeepPeriod) Keep();
            }
            while (await timer.WaitForNextTickAsync(stop.Token));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The regular end.
        }
    }

    private async Task SampleOnceAsync()
    {
        try
        {
            await site.RefreshAsync(stop.Token);
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // A status tells what is wrong; where none could be read, whoever opens the status page is told.
        }
    }

    private void Keep()
    {
        if (file is null || !keeping.IsCompleted) return;
        keptAt = time.GetTimestamp();
        keeping = Task.Run(
            () =>
            {
                try
                {
                    file.Write(history.Minutes());
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // What is wrong with the disk is told by the half that needs it.
                }
            },
            CancellationToken.None);
    }
}
