using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;

namespace OrdersStream.Store;

/// <summary>
/// A consumer that reads committed records is at its end where a transaction is open, and hears of nothing behind it (invariant 11). So
/// where it stands still below the end of all that was sent, the brokers are asked, beside the reading, and it is said.
/// </summary>
internal sealed class HiddenEndWatch(
    Func<CancellationToken, Task<IReadOnlyList<HiddenEnd>>> ask, string topic, TimeProvider time, ILogger logger)
{
    /// <summary>A page of ours hides what is behind it for less.</summary>
    internal static readonly TimeSpan Least = TimeSpan.FromSeconds(10);

    /// <summary>Between two lines.</summary>
    internal static readonly TimeSpan SaidEvery = TimeSpan.FromMinutes(1);

    private readonly Dictionary<int, (long Position, long Since)> standing = [];
    private IReadOnlyList<HiddenEnd> hidden = [];
    private Task<IReadOnlyList<HiddenEnd>>? answer;
    private long? askedAt;
    private long? saidAt;

    /// <summary>A consumer begins: where another stood says nothing of it.</summary>
    public void BeginAnew()
    {
        standing.Clear();
        (hidden, answer, askedAt) = ([], null, null);
    }

    /// <summary>To be called as often as one likes.</summary>
    /// <param name="atEnds">Partitions whose end was seen, and where.</param>
    /// <param name="endOf">The end of all that was sent to one, as far as the client knows.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public void Look(IEnumerable<(int Partition, long Next)> atEnds, Func<int, long> endOf, CancellationToken cancellationToken)
    {
        foreach (var (partition, next) in atEnds)
        {
            if (endOf(partition) <= next) standing.Remove(partition);
            else if (!standing.TryGetValue(partition, out var stands) || stands.Position != next)
                standing[partition] = (next, time.GetTimestamp());
        }
        if (answer is { IsCompleted: true }) Take(answer);
        if (answer is null && standing.Values.Any(s => IsOver(s.Since, Least)) && (askedAt is not { } asked || IsOver(asked, Least)))
            (askedAt, answer) = (time.GetTimestamp(), ask(cancellationToken));
    }

    /// <summary>For how long a transaction has hidden what comes next of the partition.</summary>
    public TimeSpan StandsFor(int partition) =>
        hidden.Any(h => h.Partition == partition && Stands(h)) ? time.GetElapsedTime(standing[partition].Since) : TimeSpan.Zero;

    private void Take(Task<IReadOnlyList<HiddenEnd>> done)
    {
        answer = null;
        // They are away: others say so.
        if (!done.IsCompletedSuccessfully) _ = done.Exception;
        else if ((hidden = [.. done.Result.Where(Stands)]) is [var first, ..] && (saidAt is not { } said || IsOver(said, SaidEvery)))
        {
            saidAt = time.GetTimestamp();
            logger.EndHidden(first.Partition, first.Stable, hidden.Sum(h => h.Offsets), hidden.Count, first.RemedyIn(topic));
        }
    }

    // Nothing lies between the reading and the transaction.
    private bool Stands(HiddenEnd h) => standing.TryGetValue(h.Partition, out var stands) && h.Stable <= stands.Position;

    private bool IsOver(long since, TimeSpan span) => time.GetElapsedTime(since) >= span;
}
