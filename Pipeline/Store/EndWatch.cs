using Confluent.Kafka;
using OrdersStream.Diagnostics;

namespace OrdersStream.Store;

/// <summary>
/// Brokers that were away may be back without the end of the log (invariant 10). A consumer that was at the old end, and finds the new one
/// as high, hears of nothing: so after each connection that ended what they have is looked at, beside the reading.
/// </summary>
internal sealed class EndWatch(LakeBatch batch, string topic, TimeProvider time)
{
    /// <summary>Until it is looked again at what another's transaction hides.</summary>
    internal static readonly TimeSpan HiddenPause = TimeSpan.FromSeconds(5);

    private Task<(int? Lost, bool IsHidden)>? look;
    private bool isDue, hasAnswered;
    private long? hiddenAt;

    /// <summary>
    /// Why they could not be asked when it was last tried; null: they answered. Of a partition without a leader a consumer hears nothing,
    /// while those of others go on.
    /// </summary>
    public KafkaException? Failure { get; private set; }

    /// <summary>The look that goes on beside the reading.</summary>
    internal Task UnderWay => look ?? Task.CompletedTask;

    /// <summary>To be called as often as one likes.</summary>
    /// <param name="isDisturbed">A connection ended since the last call.</param>
    /// <param name="cancellationToken">Ends a look.</param>
    /// <exception cref="PipelineException">The log is another one: the next session finds out where it parts.</exception>
    public void Look(bool isDisturbed, CancellationToken cancellationToken)
    {
        isDue |= isDisturbed;
        if (look is { IsCompleted: true } done)
        {
            look = null;
            Failure = done.Exception?.InnerException as KafkaException;
            // They are still away.
            if (done.IsCanceled || Failure is not null) isDue = true;
            else
            {
                var (lost, isHidden) = done.GetAwaiter().GetResult();
                if (lost is { } partition) throw LogIsAnother(partition);
                // What lies there cannot be told yet, and it does not come as a record once it can be.
                hiddenAt = isHidden ? time.GetTimestamp() : null;
            }
            hasAnswered = !isDue;
        }
        isDue |= hiddenAt is { } at && time.GetElapsedTime(at) >= HiddenPause;
        if (!isDue || look is not null) return;
        (isDue, look) = (false, batch.FindLostEndAsync(cancellationToken));
    }

    /// <summary>They were asked since the last call, and answered for all partitions: what is idle works, too.</summary>
    public bool TakeAnswer()
    {
        var taken = hasAnswered;
        hasAnswered = false;
        return taken;
    }

    private PipelineException LogIsAnother(int partition) => new(new FailureVerdict(FailureAction.Retry,
        $"The brokers lost the end of topic '{topic}', partition {partition}: what they have is not what the lake knows.",
        "What they have is looked at.", SeesItself: true));
}
