using System.Buffers.Binary;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The host's end of the connection to a worker: it hears what that says, and calls nobody.</summary>
internal sealed class SilentHost : IAsyncDisposable
{
    private readonly TaskCompletionSource<HttpResponse> connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly WebApplication app;

    private SilentHost()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        app = builder.Build();
        app.Run(HearAsync);
    }

    /// <summary>A worker has come.</summary>
    public Task Connected => connected.Task;

    public int Port => new Uri(app.Urls.Single()).Port;

    public static async Task<SilentHost> StartAsync(CancellationToken cancellationToken)
    {
        var host = new SilentHost();
        await host.app.StartAsync(cancellationToken);
        return host;
    }

    /// <summary>Says how long a message is, and sends nothing of it: the worker makes room for it first.</summary>
    public async Task AnnounceAsync(int bytes)
    {
        var header = new byte[5];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), bytes);
        var response = await connected.Task;
        await response.BodyWriter.WriteAsync(header, response.HttpContext.RequestAborted);
    }

    /// <summary>As when it is killed: its connections end.</summary>
    public async ValueTask DisposeAsync()
    {
        await app.StopAsync(new CancellationToken(canceled: true));
        await app.DisposeAsync();
    }

    private async Task HearAsync(HttpContext call)
    {
        call.Response.ContentType = "application/grpc";
        await call.Response.StartAsync(call.RequestAborted);
        connected.TrySetResult(call.Response);
        await call.Request.Body.CopyToAsync(Stream.Null, call.RequestAborted);
    }
}
