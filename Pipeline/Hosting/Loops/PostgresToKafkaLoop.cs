using OrdersStream.Capture;
using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Loops;

/// <summary>How a drain ended.</summary>
public enum DrainEnd
{
    /// <summary>All that was committed before is in the topic.</summary>
    Done,
    /// <summary>Another instance is the poller, so nothing was done here.</summary>
    StoodBy,
    /// <summary>Committed rows wait for the end of a transaction, which did not come in time.</summary>
    HeldBack,
    /// <summary>Records wait in the topic for the rest of their page, which did not come in time.</summary>
    PageUnfinished,
    /// <summary>A transaction that did not end in time hides what lies behind it in the topic.</summary>
    EndHidden,
    /// <summary>It was told to end before all was done.</summary>
    BrokenOff,
}

/// <summary>
/// The capturing half as a loop: one poll every batch_interval, never two at once; the next one at once where a window is not done.
/// </summary>
public sealed class PostgresToKafkaLoop(PipelineStream stream)
{
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromMinutes(2);

    private readonly PostgresToKafka half = stream.Capture;
    private readonly TimeProvider time = stream.Process.Time;
    private readonly TimeSpan interval = TimeSpan.FromSeconds(stream.Options.Streaming.BatchInterval);

    /// <summary>
    /// How long a drain waits for the transaction behind which rows are held back: as long as for a server that is away. A test
    /// shortens it.
    /// </summary>
    internal static TimeSpan HeldBackTimeout { get; set; } = DrainTimeout;

    /// <summary>Called for every poll that came to its end.</summary>
    public Action<PollResult>? Polled { get; set; }

    /// <summary>Polls until it is told to stop.</summary>
    /// <param name="noMorePolls">Ends it between two polls.</param>
    /// <param name="cancellationToken">Ends it at once: the page that is under way is given up, and captured by the next start.</param>
    /// <exception cref="HalfStoppedException">A human is needed.</exception>
    public async Task RunAsync(CancellationToken noMorePolls, CancellationToken cancellationToken)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(noMorePolls, cancellationToken);
        using var running = stream.Begin(nameof(PostgresToKafka));
        var retries = stream.NewRetries(running);
        try
        {
            while (!pause.IsCancellationRequested)
            {
                var begun = time.GetTimestamp();
                var poll = await PollAsync(running, retries, pause.Token, cancellationToken);
                if (!poll.WindowDone) continue;
                var rest = interval - time.GetElapsedTime(begun);
                if (rest > TimeSpan.Zero) await Task.Delay(rest, time, pause.Token);
            }
        }
        catch (OperationCanceledException) when (pause.IsCancellationRequested)
        {
            // The regular end.
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // A page that was broken off may end in any failure of its clients; the next start finds out what became of it.
        }
    }

    /// <summary>Polls until everything that was committed before it began is published, or until it is told to end.</summary>
    /// <exception cref="HalfStoppedException">A human is needed, or the outage did not end in time.</exception>
    public async Task<DrainEnd> DrainAsync(CancellationToken cancellationToken)
    {
        using var running = stream.Begin(nameof(PostgresToKafka));
        var retries = stream.NewRetries(running, DrainTimeout);
        try
        {
            return await DrainAsync(running, retries, cancellationToken);
        }
        catch (Exception e) when (e is not HalfStoppedException && cancellationToken.IsCancellationRequested)
        {
            // As above.
            return DrainEnd.BrokenOff;
        }
    }

    private async Task<DrainEnd> DrainAsync(RunningHalf running, Retries retries, CancellationToken cancellationToken)
    {
        var (begun, progress) = (time.GetTimestamp(), new DrainProgress(HeldBackTimeout));
        while (true)
        {
            var poll = await PollAsync(running, retries, cancellationToken, cancellationToken);
            var (end, pause) = progress.After(poll, time.GetElapsedTime(begun));
            if (end is not null)
                return end switch
                {
                    TableDrain.StoodBy => DrainEnd.StoodBy,
                    TableDrain.HeldBack => DrainEnd.HeldBack,
                    _ => DrainEnd.Done,
                };
            await Task.Delay(pause, time, cancellationToken);
        }
    }

    /// <param name="running">The half, as others see it.</param>
    /// <param name="retries">What to do about a failure.</param>
    /// <param name="noMoreTries">Ends a pause after a failure.</param>
    /// <param name="cancellationToken">Ends the poll itself, too.</param>
    private async Task<PollResult> PollAsync(
        RunningHalf running, Retries retries, CancellationToken noMoreTries, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var poll = await half.PollAsync(PostgresToKafka.PollBudget, cancellationToken);
                running.Polled(poll);
                retries.Succeeded(standsBy: poll.Outcome == PollOutcome.StandingBy);
                Polled?.Invoke(poll);
                return poll;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                await retries.AfterFailureAsync(e, noMoreTries);
            }
        }
    }
}
