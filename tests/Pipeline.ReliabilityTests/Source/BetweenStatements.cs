using System.Diagnostics;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>
/// Lets something happen when the poller's n-th statement has been answered, before it sends the next: Npgsql tells anyone who traces it,
/// and waits for them.
/// </summary>
internal sealed class BetweenStatements : IDisposable
{
    private readonly ActivityListener listener;
    private readonly Func<Task> happens;
    private int left;

    /// <param name="database">Of the poller; nothing else runs statements there meanwhile.</param>
    /// <param name="statement">From 1.</param>
    /// <param name="happens">What does.</param>
    public BetweenStatements(string database, int statement, Func<Task> happens)
    {
        (left, this.happens) = (statement, happens);
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (activity.TagObjects.Any(tag => tag.Value as string == database) && Interlocked.Decrement(ref left) == 0)
                    Task.Run(happens).GetAwaiter().GetResult();
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    /// <summary>The poller had fewer statements: it happens now.</summary>
    /// <returns>Whether it had as many.</returns>
    public async Task<bool> EnsureRunAsync()
    {
        if (Interlocked.Exchange(ref left, -1) <= 0) return true;
        await happens();
        return false;
    }

    public void Dispose() => listener.Dispose();
}
