using System.Data;
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

    /// <summary>So many at once, and no longer a wait for who has their table locked: a poll is not held up by it.</summary>
    private const int TombstonesAtOnce = 10_000;

    private const string TombstonesPatience = "1s";

    /// <summary>Where they cannot be removed, it is tried again no sooner: that they are there costs room only.</summary>
    private static readonly TimeSpan TombstonesPause = TimeSpan.FromHours(1);

    /// <summary>
    /// Removes some, between two windows: what the last horizon has is in the topic, and the file says so (invariant 5). Where that is done
    /// again, or was not done, nothing is lost by it: a tombstone that is there says what it said.
    /// </summary>
    public async Task RemoveTombstonesAsync(CancellationToken cancellationToken)
    {
        if (tombstones is not { IsRemovable: true } || Watermark is not { Window: null, Horizon: { } published }
            || !IsOfThisTime(published) || published.Tombstones != tombstones.Oid
            || (context.TombstonesKeptAt is { } kept && context.Time.GetElapsedTime(kept) < TombstonesPause)) return;
        var now = context.Time.GetUtcNow().UtcDateTime;
        if (Watermark.Tombstones is { } then && then.Table == tombstones.Oid)
        {
            // A clock that went back would keep them for as long.
            if (now - then.PublishedAt is var age && age < TombstonesKept && age >= TimeSpan.Zero) return;
            if (age > TimeSpan.Zero
                && await RemoveTombstonesAsync(published, then.Of(published), cancellationToken) is null or TombstonesAtOnce) return;
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

    /// <returns>How many; null: the server refuses, or somebody has their table locked.</returns>
    private async Task<int?> RemoveTombstonesAsync(Horizon published, Horizon then, CancellationToken cancellationToken)
    {
        int removed;
        try
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var command = new NpgsqlCommand(
                $"SET LOCAL lock_timeout = '{TombstonesPatience}'; {tombstones!.Remove(published, then, TombstonesAtOnce)}", connection);
            removed = await command.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        // Nothing of capture rests on it: the poll is done, and the session is whole.
        catch (PostgresException e) when (IsRefusal(e) && connection.State == ConnectionState.Open)
        {
            context.TombstonesKeptAt = context.Time.GetTimestamp();
            context.Logger.TombstonesKept(tombstones!.QualifiedName, ServerWords.Of(e));
            return null;
        }
        context.TombstonesKeptAt = null;
        if (removed > 0) context.CrashPoints.Reached(CrashPoint.TombstonesRemoved);
        return removed;
    }

    // A lock or a statement that took too long, the state or the rights that it wants: what else fails is judged as any failure is.
    private static bool IsRefusal(PostgresException e) =>
        e.SqlState.StartsWith("55", StringComparison.Ordinal) || e.SqlState is PostgresErrorCodes.InsufficientPrivilege
            or PostgresErrorCodes.ReadOnlySqlTransaction or PostgresErrorCodes.QueryCanceled;
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
