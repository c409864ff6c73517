using OrdersStream.Status;

namespace OrdersStream.Site.Server;

/// <summary>Looks at everything every few seconds, whether somebody asks or not, so that the last hour is known when somebody does.</summary>
public sealed class StatusSampler(StatusSite site, FlowHistory history, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource stop = new();
    private Task looking = Task.CompletedTask;

    /// <summary>Begins with a look at once.</summary>
    public StatusSampler Start()
    {
        history.IsSampled = true;
        looking = Task.Run(LookAsync, CancellationToken.None);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await looking;
        stop.Dispose();
    }

    private async Task LookAsync()
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            do
            {
                await LookOnceAsync();
            }
            while (await timer.WaitForNextTickAsync(stop.Token));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The regular end.
        }
    }

    private async Task LookOnceAsync()
    {
        try
        {
            await site.LookAsync(stop.Token);
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // A look tells what is wrong in what it sees; one that sees nothing is told to whoever opens the page.
        }
    }
}
