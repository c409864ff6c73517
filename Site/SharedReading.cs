namespace OrdersStream.Site;

/// <summary>
/// What many ask for at once is read once: by whoever asks first, for all who ask until it is too old. It belongs to no request, since
/// those who ask come and go; one that failed is no answer to the next.
/// </summary>
/// <param name="read">Reads it.</param>
/// <param name="age">How old it may be.</param>
/// <param name="time">The clock.</param>
internal sealed class SharedReading<T>(Func<Task<T>> read, TimeSpan age, TimeProvider time)
{
    private readonly Lock gate = new();
    private Task<(T Value, long At)>? last;

    /// <param name="cancellationToken">Ends the waiting; the reading goes on.</param>
    public async Task<T> GetAsync(CancellationToken cancellationToken)
    {
        Task<(T Value, long At)> reading;
        lock (gate)
        {
            var isFresh = last is { IsCompletedSuccessfully: true } ended && time.GetElapsedTime(ended.Result.At) < age;
            if (last is null || (last.IsCompleted && !isFresh)) last = Task.Run(ReadAsync, CancellationToken.None);
            reading = last;
        }
        return (await reading.WaitAsync(cancellationToken)).Value;
    }

    private async Task<(T Value, long At)> ReadAsync() => (await read(), time.GetTimestamp());
}
