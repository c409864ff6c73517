using System.Collections.Concurrent;
using System.Net.Sockets;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// A client's connection through the proxy. Requests and answers are moved by themselves, each direction in its order; an answer belongs to
/// the request of its correlation id.
/// </summary>
internal sealed class ProxiedConnection : IDisposable
{
    private readonly KafkaProxy proxy;
    private readonly Socket client, server;
    private readonly NetworkStream toClient;
    private readonly ConcurrentDictionary<int, Asked> open = [];
    private volatile bool hasLostClient;

    public ProxiedConnection(KafkaProxy proxy, Socket client, Socket server)
    {
        (this.proxy, this.client, this.server) = (proxy, client, server);
        toClient = new NetworkStream(client);
    }

    /// <summary>Until both sides have ended, or one is gone.</summary>
    public async Task ServeAsync(CancellationToken cancellationToken)
    {
        await using var toServer = new NetworkStream(server);
        await Task.WhenAll(
            UntilGoneAsync(() => MoveRequestsAsync(toServer, cancellationToken)),
            UntilGoneAsync(() => MoveAnswersAsync(toServer, cancellationToken)));
    }

    public void Dispose()
    {
        toClient.Dispose();
        client.Dispose();
        server.Dispose();
    }

    private async Task MoveRequestsAsync(NetworkStream toServer, CancellationToken cancellationToken)
    {
        while (await KafkaFrame.ReadAsync(toClient, cancellationToken) is { } frame)
        {
            var request = KafkaRequest.Of(frame);
            if (!proxy.LooksAt(request)) await toServer.WriteAsync(frame, cancellationToken);
            else if (!await MoveAsync(request, toServer, cancellationToken)) return;
        }
        server.Shutdown(SocketShutdown.Send);
    }

    /// <returns>Whether the client is still there.</returns>
    private async Task<bool> MoveAsync(KafkaRequest request, NetworkStream toServer, CancellationToken cancellationToken)
    {
        (request, var fault) = proxy.Meet(request);
        fault?.HasArrived(request);
        if (fault is { LosesClient: true }) LoseClient();
        if (fault is not null) await fault.Until.WaitAsync(cancellationToken);
        open[request.CorrelationId] = new(request, fault);
        for (var copy = 0; copy < (fault?.Copies ?? 1); copy++) await toServer.WriteAsync(request.Frame, cancellationToken);
        return !hasLostClient;
    }

    private async Task MoveAnswersAsync(NetworkStream fromServer, CancellationToken cancellationToken)
    {
        while (await KafkaFrame.ReadAsync(fromServer, cancellationToken) is { } answer)
        {
            open.TryGetValue(KafkaFrame.CorrelationIdOf(answer), out var asked);
            if (asked is not null && !await IsForClientAsync(asked, cancellationToken)) continue;
            await AnswerAsync(answer, cancellationToken);
        }
        if (!hasLostClient) client.Shutdown(SocketShutdown.Send);
    }

    private async Task AnswerAsync(ReadOnlyMemory<byte> answer, CancellationToken cancellationToken)
    {
        try
        {
            if (!hasLostClient) await toClient.WriteAsync(answer, cancellationToken);
        }
        catch (Exception e) when (hasLostClient && IsGone(e))
        {
            // The connection was taken from it just now; what is held back still needs the broker's side.
        }
    }

    /// <summary>An answer to what the proxy looks at has come.</summary>
    /// <returns>Whether the client is to hear it.</returns>
    private async Task<bool> IsForClientAsync(Asked asked, CancellationToken cancellationToken)
    {
        var (request, fault) = asked;
        if (++asked.Answers >= (fault?.Copies ?? 1)) open.TryRemove(request.CorrelationId, out _);
        if (asked.Answers > 1) return false;

        proxy.HasAnswered(request);
        fault?.IsAnswered(request);
        if (fault is null) return true;
        if (fault.LosesAnswer) throw new LostException();
        await fault.AnswerUntil.WaitAsync(cancellationToken);
        return true;
    }

    /// <summary>The client is told that its connection has ended; the broker is not.</summary>
    private void LoseClient()
    {
        hasLostClient = true;
        try
        {
            client.Close(0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It had left by itself.
        }
    }

    private async Task UntilGoneAsync(Func<Task> moveAsync)
    {
        try
        {
            await moveAsync();
        }
        catch (Exception e) when (IsGone(e))
        {
            // One side is gone: so is the other.
            client.Dispose();
            server.Dispose();
        }
        catch
        {
            client.Dispose();
            server.Dispose();
            throw;
        }
    }

    private static bool IsGone(Exception e) =>
        e is LostException or SocketException or IOException or ObjectDisposedException or OperationCanceledException;

    /// <summary>A request that the broker has not answered yet, as often as it got it.</summary>
    private sealed record Asked(KafkaRequest Request, KafkaFault? Fault)
    {
        public int Answers { get; set; }
    }

    /// <summary>The connection ends here because a fault says so.</summary>
    private sealed class LostException : Exception;
}
