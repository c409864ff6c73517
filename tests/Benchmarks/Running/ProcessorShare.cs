using System.Diagnostics;
using OrdersStream.Benchmarks.Measuring;

namespace OrdersStream.Benchmarks.Running;

/// <summary>
/// Holds each of some processes to a share of one core, as the limit of a container would: who is ahead of its share is halted until the
/// clock has caught up.
/// </summary>
internal sealed class ProcessorShare : IAsyncDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    private readonly List<Held> held;
    private readonly double share;
    private readonly CancellationTokenSource stop = new();
    private readonly Task turning;

    /// <param name="children">The processes.</param>
    /// <param name="share">Of one core, for each.</param>
    public ProcessorShare(IEnumerable<Child> children, double share)
    {
        (held, this.share) = ([.. children.Select(c => new Held(c))], share);
        turning = Task.Run(TurnAsync);
    }

    private async Task TurnAsync()
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
                foreach (var one in held) one.Turn(share);
        }
        catch (OperationCanceledException)
        {
            // None of them stays halted.
            foreach (var one in held) one.LetGo();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await turning;
        stop.Dispose();
    }

    private sealed class Held(Child child)
    {
        private bool isHalted;

        public void Turn(double share)
        {
            if (child.HasEnded) return;
            var isAhead = child.CpuSeconds() > share * Stopwatch.GetElapsedTime(child.StartedAt).TotalSeconds;
            if (isAhead == isHalted) return;
            isHalted = isAhead;
            if (isHalted) child.Halt();
            else child.GoOn();
        }

        public void LetGo()
        {
            if (!child.HasEnded) child.GoOn();
        }
    }
}
