using System.Collections.Immutable;
using System.Data;
using System.Globalization;
using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>Takes horizons. The order of the statements is the proof that nothing is missed (invariant 1); do not change it.</summary>
internal sealed class HorizonReader(NpgsqlConnection connection, SourceServer server, PostgresOptions options)
{
    /// <summary>More transactions than can be rolled back within the server's buffers and so be forgotten by a crash.</summary>
    private const ulong ForgottenMax = 1 << 20;

    /// <summary>S as text: equal to the last horizon's, nothing was committed anywhere since. One round trip.</summary>
    public async Task<string> SnapshotAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_current_snapshot()::text", connection);
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>The horizon of a snapshot that is taken now.</summary>
    /// <param name="table">The source table.</param>
    /// <param name="previous">The horizon before; null: this is the first.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<Horizon> TakeAsync(SourceTable table, Horizon? previous, CancellationToken cancellationToken)
    {
        var (clock, oldestStart, hidden, prepared) = await OpenTransactionsAsync(previous, cancellationToken);
        var slack = options.SlackSeconds is { } s ? TimeSpan.FromSeconds(s) : table.DefaultSlack;
        var bound =
            !server.SeesAllSessions ? clock - TimeSpan.FromSeconds(options.LateCommitSeconds) - slack
            : hidden ? previous?.LowerBound // a session hides its start: the bound stays where it was
            : Horizon.Bound(clock, oldestStart, prepared.Values, slack);

        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var (snapshot, xmin, xmax, isDurable) = await BeginSnapshotAsync(cancellationToken);
        var recent = Recent(table, previous, bound);
        var seen = xmin == xmax
            ? ImmutableArray<uint>.Empty // nothing was running: every visible row is below H
            : await SeenAsync(table, xmin, recent, cancellationToken);
        var below = isDurable ? xmin : await NeverAgainBelowAsync(table, xmin, previous, recent, cancellationToken);
        await transaction.CommitAsync(cancellationToken);

        var horizon = new Horizon(snapshot, below, xmax, seen ?? [], bound, clock, server.StartedAt, prepared);
        if (seen is not null) return horizon;
        // Too many to remember: those seen before stay seen, for they are published (invariant 2); the others'
        // rows are held back to the next window, whose bound must then reach as far back as this one's.
        return horizon with { Seen = previous?.SeenFrom(below) ?? [], LowerBound = previous?.LowerBound };
    }

    private async Task<(DateTime Clock, DateTime? OldestStart, bool Hidden, ImmutableSortedDictionary<uint, DateTime?> Prepared)>
        OpenTransactionsAsync(Horizon? previous, CancellationToken cancellationToken)
    {
        // Three statements in this order, and outside the snapshot's transaction: the statistics views are read once in
        // each. A transaction that is being prepared meanwhile is seen twice, never missed.
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("SELECT clock_timestamp()"),
                new NpgsqlBatchCommand($"SELECT min(xact_start), {OpenTransactions.AnyHidden} FROM {OpenTransactions.Sessions}"),
                new NpgsqlBatchCommand($"SELECT transaction::text FROM {OpenTransactions.Prepared}"),
            },
        };
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var clock = reader.GetDateTime(0);
        await reader.NextResultAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var oldest = reader.IsDBNull(0) ? (DateTime?)null : reader.GetDateTime(0);
        var hidden = reader.GetBoolean(1);
        await reader.NextResultAsync(cancellationToken);
        var prepared = ImmutableSortedDictionary.CreateBuilder<uint, DateTime?>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var xid = uint.Parse(reader.GetString(0), CultureInfo.InvariantCulture);
            // When it began is not known. One that was not prepared at the horizon before was open then, or began later.
            prepared[xid] = previous is null ? null : previous.Prepared.TryGetValue(xid, out var known) ? known : previous.LowerBound;
        }
        return (clock, oldest, hidden, prepared.ToImmutable());
    }

    // Durable: all that had ended by the snapshot is on disk, what was rolled back too.
    private async Task<(string Snapshot, ulong Xmin, ulong Xmax, bool IsDurable)> BeginSnapshotAsync(CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SET TRANSACTION READ ONLY;
            SELECT s::text, pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text,
                   pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()
            FROM pg_current_snapshot() s
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return (
            reader.GetString(0),
            ulong.Parse(reader.GetString(1), CultureInfo.InvariantCulture),
            ulong.Parse(reader.GetString(2), CultureInfo.InvariantCulture),
            reader.GetBoolean(3));
    }

    // The first horizon, or no bound: of all rows.
    private static string Recent(SourceTable table, Horizon? previous, DateTime? bound) =>
        previous?.LowerBound is { } from && bound is { } to ? $"AND {table.NotBelow(from < to ? from : to)}" : "";

    /// <summary>
    /// H where a crash of the server might forget transactions that were rolled back, and give
    /// their ids again: only what a visible row has is certain, since it was durable before it
    /// could be seen. Ids between the newest of them and H have no row yet; one that comes is new.
    /// </summary>
    private async Task<ulong> NeverAgainBelowAsync(
        SourceTable table, ulong xmin, Horizon? previous, string recent, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT min(age(xmin)::bigint - age('{(uint)xmin}'::xid)) FROM {table.QualifiedName} WHERE age(xmin) >= 0 {recent}",
            connection);
        var certain = Math.Max(previous?.Xmin ?? 0, xmin > ForgottenMax ? xmin - ForgottenMax : 0);
        if (await command.ExecuteScalarAsync(cancellationToken) is long distance)
            certain = distance <= 0 ? xmin : Math.Max(certain, xmin - Math.Min(xmin, (ulong)distance) + 1);
        return Math.Min(certain, xmin);
    }

    /// <summary>Transactions at or above H with visible rows; null when there are more than the limit.</summary>
    private async Task<ImmutableArray<uint>?> SeenAsync(SourceTable table, ulong xmin, string recent, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT DISTINCT xmin::text FROM {table.QualifiedName} WHERE age(xmin) BETWEEN 0 AND age('{(uint)xmin}'::xid) {recent} "
            + $"LIMIT {options.SeenTransactions + 1}", connection);
        var seen = ImmutableArray.CreateBuilder<uint>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) seen.Add(uint.Parse(reader.GetString(0), CultureInfo.InvariantCulture));
        if (seen.Count > options.SeenTransactions) return null;
        seen.Sort();
        return seen.ToImmutable();
    }
}
