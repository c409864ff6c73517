namespace OrdersStream.TestKit.Servers;

/// <summary>What is to happen to one request, and how far that has got.</summary>
public sealed class KafkaFault
{
    private readonly TaskCompletionSource<KafkaRequest> arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<KafkaRequest> answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="api">Which kind it strikes.</param>
    /// <param name="number">Which of those to come, from 1.</param>
    internal KafkaFault(KafkaApi api, int number)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(number);
        (Api, ToCome, Until) = (api, number, released.Task);
    }

    /// <summary>The request has come to the proxy.</summary>
    public Task<KafkaRequest> Arrived => arrived.Task;

    /// <summary>The broker has answered it.</summary>
    public Task<KafkaRequest> Answered => answered.Task;

    internal KafkaApi Api { get; }

    /// <summary>So many of the kind, with the one that it strikes.</summary>
    internal int ToCome { get; set; }

    /// <summary>The client loses its connection as soon as it has asked.</summary>
    internal bool LosesClient { get; init; }

    /// <summary>The client loses its connection instead of being answered.</summary>
    internal bool LosesAnswer { get; init; }

    /// <summary>The broker gets it so often.</summary>
    internal int Copies { get; init; } = 1;

    /// <summary>Before that the broker does not get it.</summary>
    internal Task Until { get; init; }

    /// <summary>Before that the client is not answered.</summary>
    internal Task AnswerUntil { get; init; } = Task.CompletedTask;

    /// <summary>Lets go of a request that is held back.</summary>
    public void Release() => released.TrySetResult();

    internal void HasArrived(KafkaRequest request) => arrived.TrySetResult(request);

    internal void IsAnswered(KafkaRequest request) => answered.TrySetResult(request);
}
