namespace OrdersStream.TestKit.Servers;

/// <summary>A real broker of its own that clients find through a proxy only.</summary>
public sealed class ProxiedBroker : IAsyncDisposable
{
    private ProxiedBroker(KafkaProxy proxy, KafkaServer server) => (Proxy, Server) = (proxy, server);

    public KafkaProxy Proxy { get; }

    /// <summary>The broker; its address is the proxy's.</summary>
    public KafkaServer Server { get; }

    /// <param name="properties">Settings of the broker, KEY=VALUE.</param>
    public static async Task<ProxiedBroker> StartAsync(params string[] properties)
    {
        var proxy = new KafkaProxy();
        try
        {
            return new ProxiedBroker(proxy, await KafkaServer.StartBehindAsync(proxy, properties));
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Proxy.DisposeAsync();
        }
        finally
        {
            await Server.DisposeAsync();
        }
    }
}
