namespace OrdersStream.TestKit;

/// <summary>
/// Waits for what comes about by itself, in a server or in another task. A wait ends in failure when nothing has come about for so long
/// that only a standstill explains it: a busy machine takes any time for what it does, and makes no test fail.
/// </summary>
public static class Waiting
{
    /// <summary>After so long without any progress it is a standstill.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Far more than anything takes that waits for nobody, on a busy machine too; and less than any time-out of a client, a session or a
    /// transaction: each is a minute at least.
    /// </summary>
    public static readonly TimeSpan LessThanATimeout = TimeSpan.FromSeconds(50);

    /// <summary>What makes progress for so long and comes to no end goes round in a circle.</summary>
    public static readonly TimeSpan PatienceMax = TimeSpan.FromMinutes(20);

    // A look may cost as much as a query over the whole lake.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <param name="condition">What is waited for; it is looked for again and again.</param>
    /// <param name="running">What brings it about; its failure is the failure of the wait. Null: something that cannot be asked.</param>
    /// <param name="actual">What is there instead, for the failure.</param>
    /// <param name="progress">How far it has got: each change renews the patience. Null: it cannot be told.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, Task? running, Func<string> actual, Func<object>? progress = null)
    {
        var standstill = new Standstill(progress, TimeProvider.System);
        for (; !await condition(); await Task.Delay(Pause, Cancellation))
        {
            if (running is { IsCompleted: true }) await running;
            if (standstill.Look() is { } why) throw new TimeoutException($"{why}; {actual()}");
        }
    }

    /// <inheritdoc cref="UntilAsync(Func{Task{bool}}, Task?, Func{string}, Func{object}?)"/>
    public static Task UntilAsync(Func<bool> condition, Task? running, Func<string> actual, Func<object>? progress = null) =>
        UntilAsync(() => Task.FromResult(condition()), running, actual, progress);

    /// <summary>Waits for the end of what has nothing left to do but to end.</summary>
    /// <param name="task">What is to end.</param>
    /// <param name="what">Its name, for the failure.</param>
    /// <param name="patience">How long; null: until only a standstill explains it.</param>
    public static async Task WithPatienceAsync(this Task task, string what, TimeSpan? patience = null)
    {
        try
        {
            await task.WaitAsync(patience ?? Patience, Cancellation);
        }
        catch (TimeoutException e) when (!task.IsCompleted)
        {
            throw new TimeoutException($"waited {(patience ?? Patience).TotalSeconds} s for {what}", e);
        }
    }

    /// <inheritdoc cref="WithPatienceAsync(Task, string, TimeSpan?)"/>
    public static async Task<T> WithPatienceAsync<T>(this Task<T> task, string what, TimeSpan? patience = null)
    {
        await ((Task)task).WithPatienceAsync(what, patience);
        return await task;
    }
}
