namespace OrdersStream.TestKit;

/// <summary>Waits for what comes about by itself, in a server or in another task: it is looked for again and again.</summary>
public static class Waiting
{
    /// <summary>Generous: it only tells what has come to a standstill from what is slow on a busy machine.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    // A look may cost as much as a query over the whole lake.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <param name="condition">What is waited for.</param>
    /// <param name="running">What brings it about; its failure is the failure of the wait. Null: something that cannot be asked.</param>
    /// <param name="actual">What is there instead, for the failure.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, Task? running, Func<string> actual)
    {
        for (var begun = TimeProvider.System.GetTimestamp(); !await condition(); await Task.Delay(Pause, Cancellation))
        {
            if (running is { IsCompleted: true }) await running;
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < Patience, $"waited {Patience.TotalSeconds} s; {actual()}");
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{Task{bool}}, Task?, Func{string})"/>
    public static Task UntilAsync(Func<bool> condition, Task? running, Func<string> actual) => UntilAsync(() => Task.FromResult(condition()), running, actual);
}
