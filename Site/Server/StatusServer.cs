using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using OrdersStream.Diagnostics;

namespace OrdersStream.Site.Server;

/// <summary>
/// Serves the status page while the halves run. It is Kestrel alone, without a host around it: it reads no settings of its own,
/// logs nothing and hears no signals, so the halves decide when the process ends.
/// </summary>
public sealed class StatusServer : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    private readonly KestrelServer server;
    private readonly StatusSampler sampler;
    private readonly TimeProvider time;

    private StatusServer(KestrelServer server, StatusSampler sampler, TimeProvider time) =>
        (this.server, this.sampler, this.time) = (server, sampler, time);

    /// <summary>Where the status page is, as one types it into a browser.</summary>
    public Uri Address { get; private init; } = null!;

    /// <summary>Starts to serve, and to sample by itself so that the status page has the last hour.</summary>
    /// <exception cref="PipelineException">The address cannot be taken.</exception>
    public static async Task<StatusServer> StartAsync(
        IPEndPoint address, StatusSite site, StatusSampler sampler, TimeProvider time, CancellationToken cancellationToken)
    {
        var options = new KestrelServerOptions { AddServerHeader = false };
        options.Limits.MaxConcurrentConnections = 200;
        options.Limits.MaxRequestBodySize = 0;
        options.Listen(address);
        var transport = new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance);
        var server = new KestrelServer(Options.Create(options), transport, NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(new StatusRequests(site, IPAddress.IsLoopback(address.Address)), cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            server.Dispose();
            throw CannotBind(address, e);
        }
        return new StatusServer(server, sampler.Start(), time) { Address = Reachable(server) };
    }

    public async ValueTask DisposeAsync()
    {
        await sampler.DisposeAsync();
        // A viewer whose connection is open does not keep the process.
        using var timeout = new CancellationTokenSource(StopTimeout, time);
        await server.StopAsync(timeout.Token);
        server.Dispose();
    }

    private static PipelineException CannotBind(IPEndPoint address, Exception cause)
    {
        var why = cause is { InnerException: AddressInUseException } ? "something else listens there"
            : (cause as SocketException ?? cause.InnerException as SocketException)?.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "something else listens there",
                SocketError.AddressNotAvailable => "this machine has no such address",
                SocketError.AccessDenied => "ports below 1024 need a privileged user",
                { } other => other.ToString(),
                null => cause.GetType().Name,
            };
        return new PipelineException(
            FailureAction.Stop, $"The page cannot be served at {address}: {why}.",
            "Name another address by --ui, for example --ui 8081; port 0 takes any that is free.", cause);
    }

    private static Uri Reachable(KestrelServer server)
    {
        var bound = new Uri(server.Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return bound.Host is "0.0.0.0" or "[::]" ? new UriBuilder(bound) { Host = "localhost" }.Uri : bound;
    }
}
