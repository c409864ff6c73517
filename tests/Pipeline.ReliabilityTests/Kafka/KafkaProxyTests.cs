using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>The proxy itself, between sockets of the test: what other tests conclude rests on it.</summary>
public sealed class KafkaProxyTests : IAsyncDisposable
{
    private readonly TcpListener broker = new(IPAddress.Loopback, 0);
    private readonly KafkaProxy proxy = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public KafkaProxyTests()
    {
        broker.Start();
        proxy.To($"127.0.0.1:{((IPEndPoint)broker.LocalEndpoint).Port}");
    }

    [Fact]
    public async Task frames_arrive_whole_in_whatever_pieces_they_are_sent()
    {
        using var link = await ConnectAsync();
        byte[] both = [.. Request(KafkaApi.Produce, 1, bytes: 100_000), .. Request(KafkaApi.EndTxn, 2)];
        var numbers = new List<(KafkaApi, long)>();
        proxy.Observe(request => numbers.Add((request.Api, request.Number)));

        await link.Client.SendAsync(both.AsMemory(0, 3), Cancellation);
        await link.Client.SendAsync(both.AsMemory(3, 70_000), Cancellation);
        await link.Client.SendAsync(both.AsMemory(70_003), Cancellation);

        Assert.Equal(both, await ReadAsync(link.Server, both.Length));
        await AnswersAsync(link, 1);
        await AnswersAsync(link, 2);
        Assert.Equal([(KafkaApi.Produce, 1), (KafkaApi.EndTxn, 1)], numbers);
    }

    [Fact]
    public async Task a_request_that_is_held_back_arrives_when_it_is_released_and_its_client_is_gone()
    {
        using var link = await ConnectAsync();
        var held = proxy.Hold(KafkaApi.EndTxn, number: 2);
        await AsksAsync(link, KafkaApi.EndTxn, 1);
        await AnswersAsync(link, 1);

        var second = Request(KafkaApi.EndTxn, 2);
        await link.Client.SendAsync(second, Cancellation);
        Assert.Equal(2, (await held.Arrived.WithPatienceAsync("the request")).CorrelationId);
        Assert.True(await HasEndedAsync(link.Client));
        Assert.Equal(0, link.Server.Available);

        held.Release();
        Assert.Equal(second, await ReadAsync(link.Server, second.Length));
        await link.Server.SendAsync(Answer(2), Cancellation);
        await held.Answered.WithPatienceAsync("the answer");
        Assert.True(await HasEndedAsync(link.Server));
    }

    [Fact]
    public async Task an_answer_that_is_cut_does_not_arrive()
    {
        using var link = await ConnectAsync();
        var cut = proxy.CutAnswer(KafkaApi.InitProducerId);
        await AsksAsync(link, KafkaApi.InitProducerId, 1);
        await link.Server.SendAsync(Answer(1), Cancellation);

        Assert.True(await HasEndedAsync(link.Client));
        await cut.Answered.WithPatienceAsync("the answer");
    }

    [Fact]
    public async Task a_request_that_is_repeated_arrives_twice_and_is_answered_once()
    {
        using var link = await ConnectAsync();
        proxy.Repeat(KafkaApi.Produce);
        await AsksAsync(link, KafkaApi.Produce, 1);
        var again = Request(KafkaApi.Produce, 1);
        Assert.Equal(again, await ReadAsync(link.Server, again.Length));

        await AnswersAsync(link, 1);
        await link.Server.SendAsync(Answer(1), Cancellation);
        await AsksAsync(link, KafkaApi.Produce, 2);
        await AnswersAsync(link, 2);
    }

    [Fact]
    public async Task a_delay_keeps_the_order()
    {
        using var link = await ConnectAsync();
        var (ask, answer) = (new TaskCompletionSource(), new TaskCompletionSource());
        var delayed = proxy.Delay(KafkaApi.Produce, 1, ask.Task);
        proxy.DelayAnswer(KafkaApi.EndTxn, 1, answer.Task);
        byte[] both = [.. Request(KafkaApi.Produce, 1), .. Request(KafkaApi.EndTxn, 2)];
        await link.Client.SendAsync(both, Cancellation);
        await delayed.Arrived.WithPatienceAsync("the request");
        Assert.Equal(0, link.Server.Available);
        ask.SetResult();
        Assert.Equal(both, await ReadAsync(link.Server, both.Length));

        await AnswersAsync(link, 1);
        var answered = new TaskCompletionSource();
        proxy.Observe(answered: request => answered.TrySetResult());
        await link.Server.SendAsync(Answer(2), Cancellation);
        await answered.Task.WithPatienceAsync("the answer");
        Assert.Equal(0, link.Client.Available);
        answer.SetResult();
        Assert.Equal(Answer(2), await ReadAsync(link.Client, Answer(2).Length));
    }

    [Fact]
    public async Task what_others_say_goes_by()
    {
        using var link = await ConnectAsync();
        var fault = proxy.Hold(KafkaApi.EndTxn);
        await AsksAsync(link, KafkaApi.EndTxn, 1, "broker-1-txn-marker-sender");
        await AnswersAsync(link, 1);
        Assert.False(fault.Arrived.IsCompleted);
    }

    [Fact]
    public async Task an_end_is_passed_on_in_both_directions()
    {
        using var first = await ConnectAsync();
        first.Client.Shutdown(SocketShutdown.Send);
        Assert.True(await HasEndedAsync(first.Server));
        using var second = await ConnectAsync();
        second.Server.Dispose();
        Assert.True(await HasEndedAsync(second.Client));
    }

    public async ValueTask DisposeAsync()
    {
        await proxy.DisposeAsync();
        broker.Dispose();
    }

    private async Task<Link> ConnectAsync()
    {
        var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPEndPoint.Parse(proxy.Address), Cancellation);
        return new Link(client, await broker.AcceptSocketAsync(Cancellation));
    }

    private static async Task AsksAsync(Link link, KafkaApi api, int correlationId, string clientId = "orders-stream")
    {
        var request = Request(api, correlationId, clientId);
        await link.Client.SendAsync(request, Cancellation);
        Assert.Equal(request, await ReadAsync(link.Server, request.Length));
    }

    private static async Task AnswersAsync(Link link, int correlationId)
    {
        await link.Server.SendAsync(Answer(correlationId), Cancellation);
        Assert.Equal(Answer(correlationId), await ReadAsync(link.Client, Answer(correlationId).Length));
    }

    private static byte[] Request(KafkaApi api, int correlationId, string clientId = "orders-stream", int bytes = 5)
    {
        var name = Encoding.ASCII.GetBytes(clientId);
        var frame = new byte[14 + name.Length + bytes];
        BinaryPrimitives.WriteInt32BigEndian(frame, frame.Length - 4);
        BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(4), (short)api);
        BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(6), 3);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(8), correlationId);
        BinaryPrimitives.WriteInt16BigEndian(frame.AsSpan(12), (short)name.Length);
        name.CopyTo(frame, 14);
        return frame;
    }

    private static byte[] Answer(int correlationId)
    {
        var frame = new byte[10];
        BinaryPrimitives.WriteInt32BigEndian(frame, 6);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(4), correlationId);
        return frame;
    }

    private static async Task<byte[]> ReadAsync(Socket from, int count)
    {
        var bytes = new byte[count];
        await using var stream = new NetworkStream(from);
        await stream.ReadExactlyAsync(bytes, Cancellation);
        return bytes;
    }

    private static async Task<bool> HasEndedAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[1], Cancellation) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private sealed record Link(Socket Client, Socket Server) : IDisposable
    {
        public void Dispose()
        {
            Client.Dispose();
            Server.Dispose();
        }
    }
}
