using OrdersStream.Status;

namespace OrdersStream.Site;

/// <summary>
/// Observes everything every few seconds, whether somebody asks or not, so that the last hour is known when somebody does.
/// </summary>
public sealed class StatusSampler(StatusSite site, FlowHistory history, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource stop = new();
    private Task sampling = Task.CompletedTask;

    /// <summary>Begins with a sample at once.</summary>
    public StatusSampler Start()
    {
        history.IsSampled = true;
        sampling = Task.Run(SampleAsync, CancellationToken.None);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await sampling;
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
}
