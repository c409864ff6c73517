using OrdersStream.Capture;
using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Loops;

/// <summary>
/// The capturing half as a loop: one poll every batch_interval, never two at once; the next one at once where a window is not done.
/// </summary>
public sealed class PostgresToKafkaLoop(PipelineStream stream)
{
    private static readonly TimeSpan PollBudget = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromMinutes(2);

    // A server lets go of a dead session's lock when it notices that the client is gone, a moment later: who holds it for longer is alive.
    private static readonly TimeSpan StandByTimeout = TimeSpan.FromSeconds(5), StandByPause = TimeSpan.FromMilliseconds(200);

    private readonly PostgresToKafka half = stream.Capture;
    private readonly TimeProvider time = stream.Process.Time;
    private readonly TimeSpan interval = TimeSpan.FromSeconds(stream.Options.Streaming.BatchInterval);

    /// <summary>Called for every poll that came to its end.</summary>
    public Action<PollResult>? Polled { get; set; }

    /// <summary>Polls until it is told to stop.</summary>
    /// <param name="noMorePolls">Ends it between two polls.</param>
    /// <param name="cancellationToken">Ends it at once: the page that is under way is given up, and captured by the next start.</param>
    /// <exception cref="HalfStoppedException">A human is needed.</exception>
    public async Task RunAsync(CancellationToken noMorePolls, CancellationToken cancellationToken)
    {
        using var pause = CancellationTokenSource.CreateLinkedTokenSource(noMorePolls, cancellationToken);
        var retries = stream.NewRetries(nameof(PostgresToKafka));
        try
        {
            while (!pause.IsCancellationRequested)
            {
                var begun = time.GetTimestamp();
                var poll = await PollAsync(retries, pause.Token, cancellationToken);
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

    /// <summary>Polls until everything that was committed before the last poll began is published.</summary>
    /// <returns>False: another instance is the poller, so nothing was done here.</returns>
    /// <exception cref="HalfStoppedException">A human is needed, or the outage did not end in time.</exception>
    public async Task<bool> DrainAsync(CancellationToken cancellationToken)
    {
        var retries = stream.NewRetries(nameof(PostgresToKafka), DrainTimeout);
        long? standingBySince = null;
        while (true)
        {
            var poll = await PollAsync(retries, cancellationToken, cancellationToken);
            if (poll is { Outcome: PollOutcome.Idle, WindowDone: true }) return true;
            if (poll.Outcome != PollOutcome.StandingBy)
            {
                standingBySince = null;
                continue;
            }
            standingBySince ??= time.GetTimestamp();
            if (time.GetElapsedTime(standingBySince.Value) >= StandByTimeout) return false;
            await Task.Delay(StandByPause, time, cancellationToken);
        }
    }

    /// <param name="retries">What to do about a failure.</param>
    /// <param name="noMoreTries">Ends a pause after a failure.</param>
    /// <param name="cancellationToken">Ends the poll itself, too.</param>
    private async Task<PollResult> PollAsync(Retries retries, CancellationToken noMoreTries, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var poll = await half.PollAsync(PollBudget, cancellationToken);
                retries.Succeeded();
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
