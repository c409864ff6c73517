using Npgsql;
using OrdersStream.Durable;

namespace OrdersStream.Capture;

/// <summary>
/// Tombstones that are published and old are removed. Until then a position may have to be gone back to, since the brokers lost what came
/// after it, and another stream of the table may still need them.
/// </summary>
internal sealed partial class CaptureSession
{
    /// <summary>Of what is published, a tombstone stays for so long.</summary>
    private static readonly TimeSpan TombstonesKept = TimeSpan.FromDays(1);

    /// <summary>A removal is a commit, after which a poll has to look whether there is more.</summary>
    private static readonly TimeSpan TombstonesRemovedEvery = TimeSpan.FromMinutes(10);

    /// <summary>So many at once: a poll is not held up by it.</summary>
    private const int TombstonesAtOnce = 10_000;

    /// <summary>
    /// Removes some, between two windows: what the last horizon has is in the topic, and the file says so (invariant 5). Where that is done
    /// again, or was not done, nothing is lost by it: a tombstone that is there says what it said.
    /// </summary>
    public async Task RemoveTombstonesAsync(CancellationToken cancellationToken)
    {
        if (tombstones is not { IsRemovable: true } || Watermark is not { Window: null, Horizon: { } published } || !IsOfThisTime(published)
            || (context.TombstonesRemovedAt is { } last && context.Time.GetElapsedTime(last) < TombstonesRemovedEvery)) return;
        await using var command = new NpgsqlCommand(
            tombstones.Remove(published, TombstonesKept, TombstonesAtOnce), connection);
        var removed = await command.ExecuteNonQueryAsync(cancellationToken);
        if (removed > 0) context.CrashPoints.Reached(CrashPoint.TombstonesRemoved);
        if (removed < TombstonesAtOnce) context.TombstonesRemovedAt = context.Time.GetTimestamp();
    }
}
