using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Kafka;
using OrdersStream.Store;

namespace OrdersStream.TestKit;

/// <summary>Both halves as one process has them; a second instance is a second process, or the same one started again.</summary>
public sealed class PipelineInstance(PipelineOptions options, TimeProvider time, CapturedLog log, Action<CrashPoint> onReached)
    : IAsyncDisposable
{
    private static readonly TimeSpan NoLimit = TimeSpan.FromMinutes(5);

    private readonly PipelineStream stream = TestRun.NewStream(options, time, log, new CrashPoints(onReached));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Stores one delivered batch.</summary>
    public Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records) =>
        LateAnswers.AskAgainAsync(() => stream.Store.StoreAsync(records, Cancellation));

    /// <summary>One poll to the end of its window.</summary>
    public Task<PollResult> PollAsync() => PollAsync(NoLimit);

    /// <summary>One poll that publishes one page and leaves the rest of the window for later.</summary>
    public Task<PollResult> PollOnePageAsync() => PollAsync(TimeSpan.Zero);

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private Task<PollResult> PollAsync(TimeSpan budget)
    {
        var calls = 0;
        return LateAnswers.AskAgainAsync(async () =>
        {
            calls++;
            var result = await stream.Capture.PollAsync(budget, Cancellation);
            // The server may still have the lock of the session that was given up.
            if (calls > 1 && result.Outcome == PollOutcome.StandingBy)
                await Waiting.UntilAsync(
                    async () => (result = await stream.Capture.PollAsync(budget, Cancellation)).Outcome != PollOutcome.StandingBy,
                    null, () => "another session polls");
            return result;
        });
    }
}
