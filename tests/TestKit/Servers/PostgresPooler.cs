using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OrdersStream.TestKit.Servers;

/// <summary>When a pooler takes a session back from a client.</summary>
public enum PoolMode
{
    /// <summary>When the client is gone. It is not cleaned, so its locks outlive the client.</summary>
    Session,

    /// <summary>When no transaction is open.</summary>
    Transaction,
}

/// <summary>
/// Stands between clients and a Postgres that asks for no password, as pgbouncer does: it has the server's sessions, and gives a client the
/// one that was given back last, for as long as its mode says. Options of a login it refuses.
/// </summary>
public sealed class PostgresPooler : IAsyncDisposable
{
    private const int SslRequest = 80877103, GssRequest = 80877104, CancelRequest = 80877102;

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource end = new();
    private readonly ConcurrentStack<ServerSession> free = [];
    private readonly ConcurrentBag<ServerSession> opened = [];
    private readonly ConcurrentBag<Task> serving = [];
    private readonly string server;
    private readonly Task accepting;

    /// <param name="server">The server's socket.</param>
    public PostgresPooler(string server)
    {
        this.server = server;
        listener.Start();
        accepting = AcceptAsync();
    }

    public PoolMode Mode { get; set; } = PoolMode.Transaction;

    /// <summary>Clients are told the key of the session that greets them; else one of their own.</summary>
    public bool RelaysKeys { get; init; }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        listener.Stop();
        await Task.WhenAll([accepting, .. serving]);
        foreach (var session in opened) session.Dispose();
        end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptTcpClientAsync(end.Token);
                serving.Add(UntilGoneAsync(client));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                return;
            }
        }
    }

    private async Task UntilGoneAsync(TcpClient client)
    {
        using var gone = client;
        ServerSession? session = null;
        try
        {
            await using var stream = client.GetStream();
            if (await LogInAsync(stream) is not { } startup) return;
            session = await TakeAsync(startup);
            await stream.WriteAsync(session.Greeting(RelaysKeys ? null : Random.Shared.Next(1 << 20, int.MaxValue)), end.Token);
            if (Mode == PoolMode.Transaction) session = GiveBack(session);
            while (await PgMessage.ReadAsync(stream, end.Token) is { } message && message[0] != 'X')
            {
                session ??= await TakeAsync(startup);
                await session.Stream.WriteAsync(message, end.Token);
                if (message[0] is not ((byte)'S' or (byte)'Q')) continue;
                var status = await AnswerAsync(session.Stream, stream);
                if (status == 'I' && Mode == PoolMode.Transaction) session = GiveBack(session);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
        {
            // One side is gone, or the test is over.
        }
        finally
        {
            if (session is not null) GiveBack(session);
        }
    }

    /// <returns>What opens a session of the same kind; null: the client wanted something else, or was refused.</returns>
    private async Task<byte[]?> LogInAsync(NetworkStream client)
    {
        while (await PgMessage.ReadStartupAsync(client, end.Token) is { } startup)
        {
            var code = BinaryPrimitives.ReadInt32BigEndian(startup.AsSpan(4));
            if (code == CancelRequest) return null;
            if (code is SslRequest or GssRequest)
            {
                await client.WriteAsync("N"u8.ToArray(), end.Token);
                continue;
            }
            if (!Encoding.UTF8.GetString(startup).Contains("\0options\0", StringComparison.Ordinal)) return startup;
            await client.WriteAsync(
                PgMessage.Of('E', "SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter in options: statement_timeout\0\0"), end.Token);
            return null;
        }
        return null;
    }

    /// <summary>Moves what the server says, to the end of its answer.</summary>
    /// <returns>The state of the transaction.</returns>
    private async Task<char> AnswerAsync(NetworkStream from, NetworkStream to)
    {
        while (await PgMessage.ReadAsync(from, end.Token) is { } message)
        {
            await to.WriteAsync(message, end.Token);
            if (message[0] == 'Z') return (char)message[5];
        }
        throw new IOException("the server's session has ended");
    }

    private async Task<ServerSession> TakeAsync(byte[] startup)
    {
        if (free.TryPop(out var session)) return session;
        session = await ServerSession.OpenAsync(server, startup, end.Token);
        opened.Add(session);
        return session;
    }

    private ServerSession? GiveBack(ServerSession session)
    {
        free.Push(session);
        return null;
    }

    /// <summary>A session of the server, and what it said when it was opened.</summary>
    private sealed class ServerSession(NetworkStream stream, List<byte[]> greeting) : IDisposable
    {
        public NetworkStream Stream { get; } = stream;

        public static async Task<ServerSession> OpenAsync(string path, byte[] startup, CancellationToken cancellationToken)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            var stream = new NetworkStream(socket, ownsSocket: true);
            await stream.WriteAsync(startup, cancellationToken);
            var greeting = new List<byte[]>();
            while (greeting is [] || greeting[^1][0] is not ((byte)'Z' or (byte)'E'))
                greeting.Add(await PgMessage.ReadAsync(stream, cancellationToken) ?? throw new IOException("the server ended the login"));
            return new ServerSession(stream, greeting);
        }

        /// <param name="key">The number that the client is told as its session's; null: the server's.</param>
        public byte[] Greeting(int? key) => [.. greeting.SelectMany(m => m[0] == 'K' && key is { } own ? PgMessage.Key(own) : m)];

        public void Dispose() => Stream.Dispose();
    }
}

/// <summary>A message of Postgres' protocol: its kind, its length with itself, what it says.</summary>
internal static class PgMessage
{
    public static byte[] Of(char kind, string text)
    {
        byte[] message = [(byte)kind, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)];
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 1);
        return message;
    }

    /// <summary>A number of a session, and the word by which its statements are cancelled.</summary>
    public static byte[] Key(int session)
    {
        var message = Of('K', "\0\0\0\0word");
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(5), session);
        return message;
    }

    /// <returns>Null: there is none any more.</returns>
    public static Task<byte[]?> ReadAsync(NetworkStream stream, CancellationToken cancellationToken) =>
        ReadAsync(stream, kindBytes: 1, cancellationToken);

    /// <summary>The first of a connection has no kind.</summary>
    public static Task<byte[]?> ReadStartupAsync(NetworkStream stream, CancellationToken cancellationToken) =>
        ReadAsync(stream, kindBytes: 0, cancellationToken);

    private static async Task<byte[]?> ReadAsync(NetworkStream stream, int kindBytes, CancellationToken cancellationToken)
    {
        var head = new byte[kindBytes + 4];
        if (await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken) < head.Length) return null;
        var message = new byte[kindBytes + BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(kindBytes))];
        head.CopyTo(message, 0);
        await stream.ReadExactlyAsync(message.AsMemory(head.Length), cancellationToken);
        return message;
    }
}
