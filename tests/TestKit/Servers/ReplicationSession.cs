using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// A session that was opened with replication=database: a walsender, which runs SQL as well as the commands of replication. It speaks the
/// simple protocol over the socket of a server that asks for no password there.
/// </summary>
public sealed class ReplicationSession : IAsyncDisposable
{
    private const int ProtocolVersion = 3 << 16;
    private readonly NetworkStream stream;

    private ReplicationSession(NetworkStream stream) => this.stream = stream;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<ReplicationSession> OpenAsync(TestDatabase database)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(database.Host, $".s.PGSQL.{database.Port}")), Cancellation);
        var session = new ReplicationSession(new NetworkStream(socket, ownsSocket: true));
        var parameters = $"user\0{database.Superuser}\0database\0{database.Name}\0replication\0database\0application_name\0walsender\0\0";
        await session.SendAsync(null, [.. Int32(ProtocolVersion), .. Encoding.UTF8.GetBytes(parameters)]);
        await session.ReadUntilAsync('Z');
        return session;
    }

    /// <summary>Runs statements, or a command of replication, to their end.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await SendAsync('Q', Encoding.UTF8.GetBytes(sql + "\0"));
        await ReadUntilAsync('Z');
    }

    /// <summary>Begins to stream; of what comes nothing is read.</summary>
    public async Task StreamAsync(string command)
    {
        await SendAsync('Q', Encoding.UTF8.GetBytes(command + "\0"));
        await ReadUntilAsync('W');
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async Task SendAsync(char? type, byte[] body)
    {
        byte[] message = [.. type is { } t ? [(byte)t] : Array.Empty<byte>(), .. Int32(body.Length + sizeof(int)), .. body];
        await stream.WriteAsync(message, Cancellation);
    }

    private async Task ReadUntilAsync(char last)
    {
        var head = new byte[1 + sizeof(int)];
        do
        {
            await stream.ReadExactlyAsync(head, Cancellation);
            var body = new byte[BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1)) - sizeof(int)];
            await stream.ReadExactlyAsync(body, Cancellation);
            if (head[0] == 'E') throw new InvalidOperationException(Encoding.UTF8.GetString(body).Replace('\0', ' '));
        }
        while (head[0] != last);
    }

    private static byte[] Int32(int value)
    {
        var bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }
}
