using System.Collections.Immutable;
using System.Data;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Capture;

/// <summary>What a poll did of what was asked for.</summary>
/// <param name="Rows">Row versions published again.</param>
/// <param name="IsMore">More is waiting.</param>
internal readonly record struct RepairTurn(long Rows, bool IsMore);

/// <summary>
/// Repairs: rows that are published again by request, as pages of no window. The greater page number is the newer version to whoever reads
/// the lake (invariant 12), so no page may hold an older state of a row than one with a lesser number. It holds by when rows are read:
/// a window's pages in snapshots that are opened after its horizon, one after the other; a repair's only between two windows, in
/// snapshots opened when the last page of the one before is out; and the next window is taken, and read, after that. What the last horizon
/// does not have is left out here: the next window brings it.
/// </summary>
internal sealed partial class CaptureSession
{
    /// <summary>How long a poll goes on with repairs, while what was committed since waits.</summary>
    private static readonly TimeSpan TurnMax = TimeSpan.FromSeconds(1);

    /// <summary>What fails now is no fault of a request.</summary>
    private bool isPublishing;

    /// <summary>Publishes what was asked for, for a while; what is left comes with the next poll.</summary>
    public async Task<RepairTurn> RepairAsync(CancellationToken cancellationToken)
    {
        var waiting = context.Repairs.Waiting();
        if (waiting.Count == 0) return default;
        // Ids of a horizon of before a restart tell nothing of its rows: the next window has a new one.
        if (Watermark is not { Window: null, Horizon: { } horizon } || !IsOfThisTime(horizon)) return new(0, IsMore: true);
        // The session still is the poller's.
        await horizons.SnapshotAsync(context.Options.PublisherName, cancellationToken);
        var begun = context.Time.GetTimestamp();
        var rows = 0L;
        foreach (var file in waiting)
        {
            try
            {
                if (await RequestAsync(file, cancellationToken) is { } request)
                    rows += await RepairAsync(file, request, horizon, begun, cancellationToken);
            }
            // Not the disk's or Kafka's failures: those are not the request's.
            catch (Exception e) when (
                !isPublishing && e is PostgresException or PipelineException && connection.State == ConnectionState.Open)
            {
                throw Failed(file, e);
            }
            if (context.Time.GetElapsedTime(begun) >= TurnMax) break;
        }
        return new(rows, context.Repairs.Waiting().Count > 0);
    }

    /// <returns>Null: it cannot be used, and is set aside.</returns>
    private async Task<RepairRequest?> RequestAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            var request = context.Repairs.Read(file);
            var table = await SourceCatalog.ReadAsync(connection, context.Options.Postgres, cancellationToken);
            if (!request.IsOfAnotherKey(table)) return request with { Order = table.Order };
            Drop(file, "the table has another key by now");
        }
        catch (FormatException e)
        {
            Drop(file, e.Message);
        }
        catch (FileNotFoundException)
        {
            // Withdrawn meanwhile.
        }
        return null;
    }

    private async Task<long> RepairAsync(
        string file, RepairRequest request, Horizon horizon, long begun, CancellationToken cancellationToken)
    {
        var (rows, numbers) = (0L, 0);
        try
        {
            if (request.IsDeletes) return await DeleteAsync(file, request, cancellationToken);
            await foreach (var page in pages.ReadAsync(request.ToWindow(horizon), Watermark.Source, cancellationToken))
            {
                var count = page.Records.Length;
                await PublishBesideAsync(page, cancellationToken);
                (rows, numbers) = (rows + count, numbers + 1);
                if (context.Time.GetElapsedTime(begun) < TurnMax) continue;
                // Where it was withdrawn meanwhile, that is all.
                if (File.Exists(file)) context.Repairs.Write(file, request with { Behind = page.Cursor });
                context.Repairs.HasGotOn(file);
                context.Metrics.Repaired(rows);
                context.Logger.Repaired(request.Reason, rows, numbers, ", more is waiting");
                return rows;
            }
        }
        // Its own values are no values of the key: to try again would change nothing, and stop all else.
        catch (PostgresException e) when (IsOfValues(e))
        {
            Drop(file, $"the server refuses its keys ({e.SqlState})");
            return rows;
        }
        context.Repairs.Remove(file);
        context.Metrics.Repaired(rows);
        context.Logger.Repaired(request.Reason, rows, numbers, "");
        return rows;
    }

    private async Task PublishBesideAsync(Page page, CancellationToken cancellationToken)
    {
        var rows = page.Records.Length;
        isPublishing = true;
        await PublishAsync(page, before: null, () => Watermark.AdvanceBeside(rows), cancellationToken);
        isPublishing = false;
    }

    /// <summary>Some keys among thousands are found with as many.</summary>
    private const int RefusalsMax = 200;

    /// <summary>
    /// Says of its keys that they are gone, as far as they are in the snapshot that is taken now. One that the server does not read, as a
    /// label that its type has no more, must not keep the others back: it is looked for by halves, and set aside alone.
    /// </summary>
    private async Task<long> DeleteAsync(string file, RepairRequest request, CancellationToken cancellationToken)
    {
        var (rows, numbers, refusal, refusals) = (0L, 0, "", 0);
        var unreadable = new List<ImmutableArray<string>>();
        var parts = new Stack<ImmutableArray<ImmutableArray<string>>>([request.Only.Keys ?? []]);
        while (parts.TryPop(out var keys))
        {
            try
            {
                var count = await DeleteAsync(keys, cancellationToken);
                (rows, numbers) = (rows + count, numbers + (count > 0 ? 1 : 0));
            }
            catch (PostgresException e) when (IsOfValues(e))
            {
                refusal = e.SqlState;
                // Where many are refused, windows wait no longer for the rest: what is asked for again has less of the others.
                if (keys.Length < 2 || ++refusals > RefusalsMax)
                {
                    unreadable.AddRange(keys);
                    continue;
                }
                parts.Push(keys[(keys.Length / 2)..]);
                parts.Push(keys[..(keys.Length / 2)]);
            }
        }
        if (unreadable.Count == 0) context.Repairs.Remove(file);
        else SetAside(file, request with { Only = request.Only with { Keys = [.. unreadable] } }, refusal);
        context.Metrics.Repaired(rows);
        context.Logger.Repaired($"{request.Reason}, as deleted", rows, numbers, "");
        return rows;
    }

    private async Task<int> DeleteAsync(ImmutableArray<ImmutableArray<string>> keys, CancellationToken cancellationToken)
    {
        var page = await pages.ReadGoneAsync(keys, Watermark.Source, cancellationToken);
        var count = page.Records.Length;
        if (count > 0) await PublishBesideAsync(page, cancellationToken);
        return count;
    }

    private void SetAside(string file, RepairRequest unreadable, string refusal)
    {
        context.Repairs.Write(file, unreadable);
        Drop(file, $"the server refuses its keys ({refusal})");
        context.Repairs.RemoveOlder(file, unreadable);
    }

    // Of values that are none of a type: to try again would change nothing.
    private static bool IsOfValues(PostgresException failure) => failure.SqlState.StartsWith("22", StringComparison.Ordinal);

    /// <summary>
    /// It is asked for beside the windows, and must not end them: what fails in a way that does not pass, or again and again, is set
    /// aside, and the session that begins anew goes on without it.
    /// </summary>
    private PipelineException Failed(string file, Exception failure)
    {
        var ours = FailurePolicy.OfStatement(failure, isConnected: true, context.Options.Postgres.Address);
        var verdict = (ours?.Verdict ?? FailurePolicy.Judge(failure)) with
        {
            SeesItself = true,
        };
        if (context.Repairs.HasFailed(file, isForGood: verdict.Action == FailureAction.Stop))
            context.Logger.RepairDropped(Path.GetFileName(file), $"it failed: {verdict.Problem}");
        return new(verdict with { Action = FailureAction.Retry }, failure);
    }

    private void Drop(string file, string why)
    {
        context.Logger.RepairDropped(Path.GetFileName(file), why);
        context.Repairs.HasFailed(file, isForGood: true);
    }
}
