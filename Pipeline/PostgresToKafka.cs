namespace OrdersStream;

/// <summary>How a poll ended.</summary>
public enum PollOutcome
{
    /// <summary>Rows were published.</summary>
    Published,
    /// <summary>There was nothing to publish.</summary>
    Idle,
    /// <summary>Another instance holds the poller's lock.</summary>
    StandingBy,
}

/// <summary>What one poll did.</summary>
/// <param name="Rows">Row versions published.</param>
/// <param name="Bytes">Bytes of their keys and values.</param>
/// <param name="Pages">Kafka transactions committed.</param>
/// <param name="WindowDone">False when the time budget ended inside a window: more is waiting.</param>
/// <param name="Duration">Time for the whole poll.</param>
public sealed record PollResult(PollOutcome Outcome, long Rows, long Bytes, int Pages, bool WindowDone, TimeSpan Duration);

// Contract; the capturing half. One instance serves one process.
public sealed class PostgresToKafka : IAsyncDisposable
{
    /// <summary>One poll: takes or resumes a window and publishes its pages until it is done or <paramref name="budget"/> is spent.</summary>
    public Task<PollResult> PollAsync(TimeSpan budget, CancellationToken cancellationToken) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
