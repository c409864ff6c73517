using Microsoft.Extensions.Hosting;
using OrdersStream.Hosting;
using OrdersStream.Site;

namespace OrdersStream.FunctionApp;

/// <summary>Where metrics are pushed: what they tell of the status is read all the time, whether somebody opens the page or not.</summary>
internal sealed class SamplerService(StatusSite site, PipelineStream stream) : IHostedService
{
    private StatusSampler? sampler;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        sampler = new StatusSampler(site, stream.History, stream.Process.Time).Start();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (sampler is not null) await sampler.DisposeAsync();
    }
}
