using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// Stands between clients and a broker, reads what they say to one another request by request, and does to single ones what networks do:
/// it holds, delays, repeats, cuts. Only to those of the product: what brokers say to themselves, and the tests' own clients, it lets by.
/// No TLS. The broker must tell clients this address as its own (<see cref="ProxiedBroker"/>).
/// </summary>
public sealed class KafkaProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource end = new();
    private readonly ConcurrentQueue<Task> serving = [];
    private readonly Lock gate = new();
    private readonly Dictionary<KafkaApi, long> met = [];
    private readonly List<KafkaFault> faults = [];
    private readonly List<(Action<KafkaRequest>? Asked, Action<KafkaRequest>? Answered)> observers = [];
    private readonly string clientId;
    private Task accepting = Task.CompletedTask;

    /// <param name="clientId">Whose requests it looks at.</param>
    public KafkaProxy(string clientId = "orders-stream")
    {
        this.clientId = clientId;
        listener.Start();
        Address = $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
    }

    /// <summary>Where clients find it.</summary>
    public string Address { get; }

    /// <param name="brokerAddress">host:port</param>
    public void To(string brokerAddress)
    {
        var broker = brokerAddress.Split(':');
        accepting = AcceptAsync(broker[0], int.Parse(broker[1]));
    }

    /// <summary>
    /// Keeps a request back, and closes its connection to the client, who then asks again on another one. The old one reaches the broker on
    /// its old connection when it is released; its answer reaches nobody.
    /// </summary>
    /// <param name="api">Its kind.</param>
    /// <param name="number">Which one of those to come, from 1.</param>
    public KafkaFault Hold(KafkaApi api, int number = 1) => Arm(new(api, number) { LosesClient = true, LosesAnswer = true });

    /// <summary>The broker does what it is asked, and the client, who loses its connection, never hears of it.</summary>
    public KafkaFault CutAnswer(KafkaApi api, int number = 1) =>
        Arm(new(api, number) { LosesAnswer = true, Until = Task.CompletedTask });

    /// <summary>The broker gets a request twice, one behind the other, and the client the first answer.</summary>
    public KafkaFault Repeat(KafkaApi api, int number = 1) => Arm(new(api, number) { Copies = 2, Until = Task.CompletedTask });

    /// <summary>A request, and all behind it on its connection, does not reach the broker before <paramref name="until"/>.</summary>
    public KafkaFault Delay(KafkaApi api, int number, Task until) => Arm(new(api, number) { Until = until });

    /// <summary>An answer, and all behind it on its connection, does not reach the client before <paramref name="until"/>.</summary>
    public KafkaFault DelayAnswer(KafkaApi api, int number, Task until) =>
        Arm(new(api, number) { Until = Task.CompletedTask, AnswerUntil = until });

    /// <summary>
    /// Looks at each request before anything is done to it, and at each that the broker has answered before the client hears so: what is
    /// armed by the first strikes that very request, what is armed by the second whatever the client does upon the answer.
    /// </summary>
    public void Observe(Action<KafkaRequest>? asked = null, Action<KafkaRequest>? answered = null)
    {
        lock (gate) observers.Add((asked, answered));
    }

    /// <summary>Nothing is to happen any more, and nobody looks.</summary>
    public void Calm()
    {
        lock (gate)
        {
            faults.Clear();
            observers.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        listener.Stop();
        await accepting;
        // An observer's failure, or bytes that are not Kafka's, is the failure of the test.
        await Task.WhenAll(serving);
        end.Dispose();
    }

    /// <summary>Whether a request is one of those that it looks at.</summary>
    internal bool LooksAt(KafkaRequest request) => request.ClientId == clientId;

    /// <summary>A request has come.</summary>
    /// <returns>It with its number, and what is to happen to it.</returns>
    internal (KafkaRequest Request, KafkaFault? Fault) Meet(KafkaRequest request)
    {
        lock (gate) met[request.Api] = met.GetValueOrDefault(request.Api) + 1;
        request = request with { Number = met[request.Api] };
        foreach (var (asked, _) in Observers()) asked?.Invoke(request);
        return (request, Strike(request.Api));
    }

    internal void HasAnswered(KafkaRequest request)
    {
        foreach (var (_, answered) in Observers()) answered?.Invoke(request);
    }

    private KafkaFault Arm(KafkaFault fault)
    {
        lock (gate) faults.Add(fault);
        return fault;
    }

    private KafkaFault? Strike(KafkaApi api)
    {
        lock (gate)
        {
            foreach (var fault in faults.Where(f => f.Api == api)) fault.ToCome--;
            var due = faults.Find(f => f.ToCome == 0);
            faults.RemoveAll(f => f.ToCome <= 0);
            return due;
        }
    }

    private (Action<KafkaRequest>? Asked, Action<KafkaRequest>? Answered)[] Observers()
    {
        lock (gate) return [.. observers];
    }

    private async Task AcceptAsync(string host, int port)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptSocketAsync(end.Token);
                serving.Enqueue(Task.Run(() => ServeAsync(client, host, port)));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket client, string host, int port)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        using var connection = new ProxiedConnection(this, client, server);
        try
        {
            await server.ConnectAsync(host, port, end.Token);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client finds its connection closed, as at a broker that is away.
            return;
        }
        await connection.ServeAsync(end.Token);
    }
}
