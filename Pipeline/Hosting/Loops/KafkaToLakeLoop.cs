using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.Hosting.Loops;

/// <summary>The storing half as a loop over its own consumer: one session after the other, until one ends without a failure.</summary>
public sealed class KafkaToLakeLoop(PipelineStream stream)
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromMinutes(2);

    private readonly KafkaToLake half = stream.Store;

    /// <summary>Stores until the token is cancelled; what was collected by then is stored too.</summary>
    /// <param name="partitions">Null: those that the group assigns. Else these, at once: joining a group takes seconds.</param>
    /// <exception cref="HalfStoppedException">A human is needed.</exception>
    public Task RunAsync(IReadOnlyList<int>? partitions, CancellationToken cancellationToken) => RepeatAsync(
        stream.NewRetries(nameof(KafkaToLake)),
        retries => half.ConsumeAsync(partitions, retries, cancellationToken),
        cancellationToken);

    /// <summary>Stores all that is in the topic when it is called; what is being committed just then is waited for.</summary>
    /// <exception cref="HalfStoppedException">A human is needed, or the outage did not end in time.</exception>
    public Task DrainAsync(CancellationToken cancellationToken) => RepeatAsync(
        stream.NewRetries(nameof(KafkaToLake), DrainTimeout),
        retries => half.DrainAsync(retries, cancellationToken),
        cancellationToken);

    /// <summary>Off the caller's thread: the client waits by blocking.</summary>
    private static Task RepeatAsync(Retries retries, Func<Retries, Task> session, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
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
