using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace OrdersStream.ReliabilityTests;

/// <summary>Stands between a client and its server, and does to the connections what networks do.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource end = new();
    private readonly ConcurrentDictionary<Link, byte> links = [];
    private Func<Task<Socket>>? connect;
    private Task accepting = Task.CompletedTask;
    private volatile bool refuses;
    private volatile bool swallows;
    private long delayMs;
    private long delayed;
    private long refused;

    public TcpProxy()
    {
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public int Port { get; }

    /// <summary>How long each piece of data is held back, in both directions.</summary>
    public TimeSpan Delay
    {
        get => TimeSpan.FromMilliseconds(Interlocked.Read(ref delayMs));
        set => Interlocked.Exchange(ref delayMs, (long)value.TotalMilliseconds);
    }

    /// <summary>New connections are closed at once.</summary>
    public bool Refuses
    {
        get => refuses;
        set => refuses = value;
    }

    /// <summary>What clients send arrives, what servers answer does not.</summary>
    public bool SwallowsAnswers
    {
        get => swallows;
        set => swallows = value;
    }

    /// <summary>Connections that were refused so far.</summary>
    public long Refused => Interlocked.Read(ref refused);

    /// <summary>Pieces of data that were held back so far.</summary>
    public long Delayed => Interlocked.Read(ref delayed);

    public void ToTcp(string host, int port) => Begin(async () =>
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(host, port, end.Token);
        return socket;
    });

    public void ToUnixSocket(string path) => Begin(async () =>
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), end.Token);
        return socket;
    });

    /// <summary>Resets all connections, in the middle of whatever passes.</summary>
    /// <returns>How many there were.</returns>
    public int Cut()
    {
        var met = links.Keys.ToList();
        foreach (var link in met) link.Reset();
        return met.Count;
    }

    /// <summary>Tells all clients that nothing more comes, and leaves the other direction open.</summary>
    /// <returns>How many there were.</returns>
    public int HalfClose()
    {
        var met = links.Keys.ToList();
        foreach (var link in met) link.CloseTowardsClient();
        return met.Count;
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        listener.Stop();
        Cut();
        await accepting;
        end.Dispose();
    }

    private void Begin(Func<Task<Socket>> connectTo)
    {
        connect = connectTo;
        accepting = AcceptAsync();
    }

    private async Task AcceptAsync()
    {
        while (!end.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await listener.AcceptSocketAsync(end.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            if (refuses)
            {
                client.Dispose();
                Interlocked.Increment(ref refused);
            }
            else _ = Task.Run(() => ServeAsync(client));
        }
    }

    private async Task ServeAsync(Socket client)
    {
        Socket server;
        try
        {
            server = await connect!();
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            client.Dispose();
            return;
        }
        var link = new Link(client, server);
        links[link] = 0;
        await Task.WhenAll(PumpAsync(client, server, isAnswer: false), PumpAsync(server, client, isAnswer: true));
        links.TryRemove(link, out _);
        link.Dispose();
    }

    private async Task PumpAsync(Socket from, Socket to, bool isAnswer)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, end.Token) is var count and > 0)
            {
                if (Delay > TimeSpan.Zero)
                {
                    Interlocked.Increment(ref delayed);
                    await Task.Delay(Delay, end.Token);
                }
                if (isAnswer && swallows) continue;
                await to.SendAsync(buffer.AsMemory(0, count), end.Token);
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side is gone: so is the other.
            from.Dispose();
            to.Dispose();
        }
    }

    private sealed record Link(Socket Client, Socket Server) : IDisposable
    {
        public void Reset()
        {
            foreach (var socket in new[] { Client, Server }) Try(() => socket.Close(0));
        }

        public void CloseTowardsClient() => Try(() => Client.Shutdown(SocketShutdown.Send));

        public void Dispose()
        {
            Client.Dispose();
            Server.Dispose();
        }

        private static void Try(Action act)
        {
            try
            {
                act();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It was gone already.
            }
        }
    }
}
