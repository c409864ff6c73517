using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.Hosting.Loops;

/// <summary>The storing half as a loop over its own consumer: one session after the other, until one ends without a failure.</summary>
public sealed class KafkaToLakeLoop(PipelineStream stream)
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromMinutes(2);

    private readonly KafkaToLake half = stream.Store;

    /// <summary>
    /// How long a drain waits for a transaction that hides what is in the topic: as long as for a server that is away. A test shortens it.
    /// </summary>
    internal static TimeSpan HiddenPatience { get; set; } = DrainTimeout;

    /// <summary>Stores until the token is cancelled; what was collected by then is stored too.</summary>
    /// <param name="partitions">Null: those that the group assigns. Else these, at once: joining a group takes seconds.</param>
    /// <exception cref="HalfStoppedException">A human is needed.</exception>
    public Task RunAsync(IReadOnlyList<int>? partitions, CancellationToken cancellationToken) =>
        RepeatAsync(giveUpAfter: null, retries => half.ConsumeAsync(partitions, retries, cancellationToken), cancellationToken);

    /// <summary>Stores all that is in the topic when it is called; what is being committed just then is waited for.</summary>
    /// <exception cref="HalfStoppedException">A human is needed, or the outage did not end in time.</exception>
    public async Task<TopicDrain> DrainAsync(CancellationToken cancellationToken)
    {
        var end = TopicDrain.BrokenOff;
        await RepeatAsync(
            DrainTimeout, async retries => end = await half.DrainAsync(HiddenPatience, retries, cancellationToken), cancellationToken);
        return end;
    }

    /// <summary>Off the caller's thread: the client waits by blocking.</summary>
    private Task RepeatAsync(TimeSpan? giveUpAfter, Func<Retries, Task> session, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            using var running = stream.Begin(nameof(KafkaToLake));
            var retries = stream.NewRetries(running, giveUpAfter);
            try
            {
                while (!await TrySessionAsync(retries, session, cancellationToken))
                {
                    // The batch was lost with the session and nothing else: the next one begins where the lake ends.
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // The regular end.
            }
        },
        CancellationToken.None);

    private static async Task<bool> TrySessionAsync(Retries retries, Func<Retries, Task> session, CancellationToken cancellationToken)
    {
        try
        {
            await session(retries);
            return true;
        }
        catch (Exception e) when (e is not HalfStoppedException and not OperationCanceledException)
        {
            await retries.AfterFailureAsync(e, cancellationToken);
            return false;
        }
    }
}
