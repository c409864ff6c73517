using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// Many transactions that come in one message of a client have the time at which it came, however long they take, and between two of them
/// the session shows none.
/// </summary>
public sealed class MessageTests(KafkaServer kafka)
{
    private const string Guard =
        """
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END';
        CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION guard();
        ALTER TABLE items ENABLE ALWAYS TRIGGER guard;
        """;

    [Theory, InlineData(false), InlineData(true)]
    public async Task rows_of_a_message_with_many_transactions_are_captured_whenever_a_poll_looks(bool isHidden)
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, TestStream.Items + Guard, configure: o => o with { Postgres = o.Postgres with { SlackSeconds = 0 } });
        await using var client = await SimpleQueryClient.ConnectAsync(server.SocketPath, stream.Database.Name);
        if (isHidden) await client.SendAsync("SET track_activities = off");
        await using var watcher = await stream.Database.OpenSessionAsync();
        var (gaps, id) = (0L, 0);

        for (var message = 0; gaps < 3; message++)
        {
            Assert.True(message < 200, "no look fell between two transactions");
            var transactions = new StringBuilder();
            for (var last = id + 20_000; id < last; id++)
                transactions.Append(CultureInfo.InvariantCulture, $"BEGIN;INSERT INTO items (id) VALUES ({id});COMMIT;");
            var running = client.SendAsync(transactions.ToString());
            while (!running.IsCompleted)
            {
                for (var look = 0; look < 200 && !running.IsCompleted; look++) gaps += await LookAsync(watcher, isHidden);
                await stream.PollAsync();
            }
            await running;
        }

        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <returns>Sessions that are at work and show no transaction: of each it is known what its next one cannot be before.</returns>
    private static async Task<long> LookAsync(Npgsql.NpgsqlConnection watcher, bool isHidden)
    {
        await using var look = new Npgsql.NpgsqlCommand(
            isHidden
                ? $"SELECT count(*) FILTER (WHERE pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'virtualxid')), "
                    + $"count(*) FILTER (WHERE NOT ({OpenTransactions.IsHidden})) FROM {OpenTransactions.Sessions} "
                    + "AND state = 'disabled' AND wait_event IS DISTINCT FROM 'ClientRead'"
                : $"SELECT count(*) FILTER (WHERE xact_start IS NULL), count(*) FILTER (WHERE {OpenTransactions.Start} IS NULL) "
                    + $"FROM {OpenTransactions.Sessions} AND state = 'active'", watcher);
        await using var row = await look.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        await row.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, row.GetInt64(1));
        return row.GetInt64(0);
    }

    /// <summary>The driver sends each statement by itself.</summary>
    private sealed class SimpleQueryClient(Socket socket) : IAsyncDisposable
    {
        private readonly NetworkStream stream = new(socket, ownsSocket: true);

        public static async Task<SimpleQueryClient> ConnectAsync(string path, string database)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), TestContext.Current.CancellationToken);
            var client = new SimpleQueryClient(socket);
            var login = new byte[] { 0, 3, 0, 0 }.Concat(Encoding.UTF8.GetBytes($"user\0postgres\0database\0{database}\0\0")).ToArray();
            await client.WriteAsync(null, login);
            await client.ReadUntilReadyAsync();
            return client;
        }

        public async Task SendAsync(string statements)
        {
            await WriteAsync((byte)'Q', [.. Encoding.UTF8.GetBytes(statements), 0]);
            await ReadUntilReadyAsync();
        }

        public ValueTask DisposeAsync() => stream.DisposeAsync();

        private async Task WriteAsync(byte? kind, byte[] content)
        {
            var length = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32BigEndian(length, content.Length + length.Length);
            await stream.WriteAsync(
                (byte[])[.. kind is { } k ? new[] { k } : [], .. length, .. content], TestContext.Current.CancellationToken);
        }

        private async Task ReadUntilReadyAsync()
        {
            var head = new byte[5];
            while (true)
            {
                await stream.ReadExactlyAsync(head, TestContext.Current.CancellationToken);
                var content = new byte[BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(1)) - sizeof(int)];
                await stream.ReadExactlyAsync(content, TestContext.Current.CancellationToken);
                Assert.NotEqual('E', (char)head[0]);
                if (head[0] == 'Z') return;
            }
        }
    }
}
