namespace OrdersStream.TestKit;

/// <summary>Tells what stands still from what is slow: only how long nothing has changed counts, however long it takes.</summary>
/// <param name="progress">How far it has got; null: it cannot be told.</param>
/// <param name="time">The clock.</param>
internal sealed class Standstill(Func<object>? progress, TimeProvider time)
{
    private readonly long begun = time.GetTimestamp();
    private object? seen = progress?.Invoke();
    private long changed = time.GetTimestamp();

    /// <returns>Why to wait no longer; null: there is reason to wait.</returns>
    public string? Look()
    {
        if (progress?.Invoke() is { } now && !now.Equals(seen)) (seen, changed) = (now, time.GetTimestamp());
        if (time.GetElapsedTime(changed) >= Waiting.Patience) return $"waited {Waiting.Patience.TotalSeconds} s, in which nothing changed";
        return time.GetElapsedTime(begun) >= Waiting.PatienceMax ? $"waited {Waiting.PatienceMax.TotalSeconds} s" : null;
    }
}
