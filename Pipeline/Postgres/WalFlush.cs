using System.Globalization;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// Waits until what a snapshot shows is on the server's disk. A commit is visible before it is durable where it does not wait for the disk,
/// whichever role or session says so, and a crash would take it back: what was published of it would stay the newest in the lake, and the
/// versions that it hid while a page was read would be there again, and be published by nobody (invariant 1).
/// </summary>
/// <remarks>
/// What an open transaction wrote last comes to the disk with the next commit, whosever: where there is none for long, by one of our
/// own, which is a transaction id and nothing else; the server then writes its log up to it within its wal_writer_delay, or a little more.
/// </remarks>
internal sealed class WalFlush(NpgsqlConnection connection, PostgresOptions options, TimeProvider time)
{
    private const string Flushed = "pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::text";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan Within = TimeSpan.FromSeconds(30);

    /// <summary>After so long it is no commit that is waited for.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(100);

    /// <summary>Up to where the server's log is written, as a column: asked for by a snapshot, it covers what that shows.</summary>
    public const string Written = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text";

    /// <summary>Waits outside any transaction.</summary>
    /// <param name="lsn">Up to where.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Up to where the log is on the disk.</returns>
    /// <exception cref="PipelineException">It does not come to the disk.</exception>
    public async Task<ulong> UntilAsync(ulong lsn, CancellationToken cancellationToken)
    {
        var (_, flushed) = await LookAsync(cancellationToken);
        return await UntilAsync(lsn, flushed, () => CommitAsync(connection, cancellationToken), cancellationToken);
    }

    /// <summary>Waits for all that the snapshot of the transaction shows which is open; mostly one round trip.</summary>
    /// <exception cref="PipelineException">It does not come to the disk.</exception>
    public async Task OfSnapshotAsync(CancellationToken cancellationToken)
    {
        var (written, flushed) = await LookAsync(cancellationToken);
        await UntilAsync(written, flushed, () => CommitBesideAsync(cancellationToken), cancellationToken);
    }

    private async Task<ulong> UntilAsync(ulong lsn, ulong flushed, Func<Task> commit, CancellationToken cancellationToken)
    {
        var hasCommitted = false;
        for (var begun = time.GetTimestamp(); flushed < lsn; (_, flushed) = await LookAsync(cancellationToken))
        {
            if (time.GetElapsedTime(begun) > Within) throw NotDurable();
            if (!hasCommitted && time.GetElapsedTime(begun) >= Soon)
            {
                hasCommitted = true;
                await commit();
            }
            await Task.Delay(Pause, time, cancellationToken);
        }
        return flushed;
    }

    private async Task<(ulong Written, ulong Flushed)> LookAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT {Written}, {Flushed}", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (Number(reader.GetString(0)), Number(reader.GetString(1)));
    }

    // The transaction that is open cannot commit without losing its snapshot.
    private async Task CommitBesideAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var other = await SourceConnection.OpenAsync(options, cancellationToken);
            await CommitAsync(other, cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or PipelineException)
        {
            // A role may have one connection only: then it is waited for.
        }
    }

    private static async Task CommitAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_current_xact_id()", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static PipelineException NotDurable() => new(new FailureVerdict(FailureAction.Retry,
        $"What was committed is not on the server's disk after {Within.TotalSeconds:N0} s, and a crash would take it back.",
        "Look at the server's disk, its fsync times and wal_writer_delay; a CHECKPOINT brings it there at once.", SeesItself: true));

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
