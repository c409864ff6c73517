using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Postgres;

namespace OrdersStream.Capture;

/// <summary>
/// Tombstones that were published long ago are removed. Until then a position may have to be gone back to, since the brokers lost what
/// came after it, and another stream of the table may still need them. When they were written says nothing of that: capture may have been
/// down since.
/// </summary>
internal sealed partial class CaptureSession
{
    /// <summary>Once it is published, a tombstone stays for so long at least, and for twice as long at most.</summary>
    private static readonly TimeSpan TombstonesKept = TimeSpan.FromDays(1);

    /// <summary>Clocks differ, and a window takes its time.</summary>
    private static readonly TimeSpan TombstonesMargin = TimeSpan.FromHours(1);

    /// <summary>So many at once: a poll is not held up by it.</summary>
    private const int TombstonesAtOnce = 10_000;

    /// <summary>
    /// Removes some, between two windows: what the last horizon has is in the topic, and the file says so (invariant 5). Where that is done
    /// again, or was not done, nothing is lost by it: a tombstone that is there says what it said.
    /// </summary>
    public async Task RemoveTombstonesAsync(CancellationToken cancellationToken)
    {
        if (tombstones is not { IsRemovable: true } || Watermark is not { Window: null, Horizon: { } published }
            || !IsOfThisTime(published) || published.Tombstones != tombstones.Oid) return;
        var now = context.Time.GetUtcNow().UtcDateTime;
        if (Watermark.Tombstones is { } then && then.Table == tombstones.Oid)
        {
            // A clock that went back would keep them for as long.
            if (now - then.PublishedAt is var age && age < TombstonesKept && age >= TimeSpan.Zero) return;
            if (age > TimeSpan.Zero
                && await RemoveTombstonesAsync(published, then.Of(published), cancellationToken) == TombstonesAtOnce) return;
        }
        Save(Watermark with { Tombstones = new(tombstones.Oid, published.Xmin, published.LowerBound, now) });
    }

    /// <summary>
    /// Another stream of the table removes what it published a day ago, and cannot know who has not read it. Whether there is one is not
    /// known here, so nothing but that is said.
    /// </summary>
    private void WarnOfTombstonesGone(Horizon? last, Horizon to)
    {
        if (tombstones is { IsRemovable: true } && last?.Tombstones == tombstones.Oid
            && to.TakenAt - last.TakenAt is var since && since > TombstonesKept - TombstonesMargin)
            context.Logger.TombstonesMayBeGone(since.TotalHours, tombstones.QualifiedName);
    }

    private async Task<int> RemoveTombstonesAsync(Horizon published, Horizon then, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(tombstones!.Remove(published, then, TombstonesAtOnce), connection);
        var removed = await command.ExecuteNonQueryAsync(cancellationToken);
        if (removed > 0) context.CrashPoints.Reached(CrashPoint.TombstonesRemoved);
        return removed;
    }
}

/// <summary>Tombstones that were published by a certain time.</summary>
/// <param name="Table">Oid of their table.</param>
/// <param name="Xmin">Those of the transactions below.</param>
/// <param name="LowerBound">And those of before; null: none.</param>
/// <param name="PublishedAt">By the poller's clock.</param>
public sealed record PublishedTombstones(uint Table, ulong Xmin, DateTime? LowerBound, DateTime PublishedAt)
{
    /// <summary>The horizon that it is of, but for the transactions that were seen above: it has less, and is small.</summary>
    internal Horizon Of(Horizon later) => later with { Xmin = Xmin, LowerBound = LowerBound, Seen = [] };
}
