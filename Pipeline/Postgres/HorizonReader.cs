using System.Collections.Immutable;
using System.Data;
using System.Globalization;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>Takes horizons. The order of the statements is the proof that nothing is missed (invariant 1); do not change it.</summary>
internal sealed class HorizonReader(
    NpgsqlConnection connection, SourceServer server, PostgresOptions options, LockWait lockWait, TimeProvider time)
{
    private readonly WalFlush flush = new(connection, options, time);

    /// <summary>
    /// S as text: equal to the last horizon's, nothing was committed anywhere since; and the database's clock before it. One round trip.
    /// </summary>
    public Task<(string Snapshot, DateTime Clock)> SnapshotAsync(string publisherName, CancellationToken cancellationToken) =>
        PollerLock.SnapshotAsync(connection, publisherName, cancellationToken);

    /// <summary>The horizon of a snapshot that is taken now.</summary>
    /// <param name="table">The source table.</param>
    /// <param name="previous">The horizon before; null: this is the first, or the ids of the one before mean nothing any more.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// It, what changed of the table since the one before, other than by new versions of rows, and the table as it is under the lock.
    /// </returns>
    public async Task<(Horizon Horizon, TableChange Change, SourceTable Table)> TakeAsync(
        SourceTable table, Horizon? previous, CancellationToken cancellationToken)
    {
        var (clock, oldestStart, hidden, xids) = await OpenTransactionsAsync(cancellationToken);
        previous = previous?.Before(clock, TimeSpan.FromSeconds(options.OverlapSeconds));
        var prepared = xids.ToImmutableSortedDictionary(x => x, x => Horizon.BoundOfPrepared(x, previous));
        if (!server.SeesAllSessions) (oldestStart, hidden) = (clock - TimeSpan.FromSeconds(options.LateCommitSeconds), false);

        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var horizon = new Horizon("", 0, 0, [], null, clock, server.StartedAt, prepared);
        horizon = await lockWait.OfAsync(connection, BeginSnapshotAsync(table, horizon, cancellationToken), cancellationToken);
        table = await AsLockedAsync(table, cancellationToken);
        var slack = options.SlackSeconds is { } s ? TimeSpan.FromSeconds(s) : table.DefaultSlack;
        var bound = hidden ? previous?.LowerBound // a session hides its start: the bound stays where it was
            : Horizon.Bound(clock, oldestStart, prepared.Values, slack);
        horizon = horizon with { LowerBound = bound };
        var (seen, newest, facts, change) = await LookAsync(table, previous, horizon, cancellationToken);
        await transaction.CommitAsync(cancellationToken);

        var flushed = await flush.UntilAsync(horizon.Lsn, cancellationToken);
        horizon = horizon with
        {
            Newest = newest, KeyOrder = table.Order, Facts = facts, Lsn = flushed, Tombstones = table.Tombstones?.Oid,
        };
        return (horizon.Remembering(seen, previous), change, table);
    }

    /// <summary>
    /// Whoever held the lock, or was there for a moment before it was asked for, may have dropped the trigger, renamed a column, or made
    /// the key another.
    /// </summary>
    private async Task<SourceTable> AsLockedAsync(SourceTable table, CancellationToken cancellationToken)
    {
        var locked = table.Tombstones?.Oid;
        table = await SourceCatalog.ReadAsync(connection, options, cancellationToken);
        // The horizon answers for no tombstones that were not locked with the table: the next one does.
        return table.Tombstones?.Oid == locked ? table : table with { Tombstones = null };
    }

    /// <summary>
    /// A horizon that was taken before the server was started anew, or another took its place: what of it still holds. A server's volume
    /// may have been put back to an older state, or a crash or a promotion have cost it what it had acknowledged, and its counter be far
    /// beyond again: the newest rows tell.
    /// </summary>
    /// <param name="table">The source table.</param>
    /// <param name="horizon">It.</param>
    /// <param name="isOfAnotherTimeline">Its ids and its log tell nothing: some of both may be another's by now.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<SeenAgain> AfterRestartAsync(
        SourceTable table, Horizon horizon, bool isOfAnotherTimeline, CancellationToken cancellationToken)
    {
        // Under the lock, as it is then: whoever held it may have renamed what the witnesses are asked for by.
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        table = await lockWait.OfAsync(
            connection, SourceCatalog.LockAsync(connection, options, withTombstones: false, cancellationToken), cancellationToken);
        if (horizon.WitnessesOf(table) is not { } newest)
            return isOfAnotherTimeline ? new(null, Rewind.Parted) : new(horizon with { ServerStarted = server.StartedAt }, Rewind.None);
        horizon = horizon with { Newest = newest };
        var (there, lsn) = await WitnessesAsync(table, newest, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        var again = horizon.AfterRestart(there, isOfAnotherTimeline ? horizon.Lsn : lsn, server.StartedAt);
        return isOfAnotherTimeline && again.Rewind is Rewind.None or Rewind.Some ? new(null, Rewind.Parted) : again;
    }

    private async Task<(List<RowWitness> There, ulong Lsn)> WitnessesAsync(
        SourceTable table, ImmutableArray<RowWitness> newest, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands = { new($"SELECT {WalFlush.Written}") },
        };
        if (newest.Length > 0) batch.BatchCommands.Add(new(HorizonQueries.Witnesses(table, newest)));
        var there = new List<RowWitness>();
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var lsn = Number(reader.GetString(0));
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) there.Add(WitnessOf(reader));
        return (there, lsn);
    }

    private async Task<(DateTime Clock, DateTime? OldestStart, bool Hidden, List<uint> Prepared)> OpenTransactionsAsync(
        CancellationToken cancellationToken)
    {
        // Three statements in this order, and outside the snapshot's transaction: the statistics views are read once in
        // each. A transaction that is being prepared meanwhile is seen twice, never missed.
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("SELECT clock_timestamp()"),
                new NpgsqlBatchCommand(
                    $"SELECT min({OpenTransactions.Start}), {OpenTransactions.AnyHidden} FROM {OpenTransactions.Sessions}"),
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
        var prepared = new List<uint>();
        while (await reader.ReadAsync(cancellationToken)) prepared.Add((uint)Number(reader.GetString(0)));
        return (clock, oldest, hidden, prepared);
    }

    // The lock first, and then the snapshot: no rewrite of the table, which shows its rows to no older snapshot, comes in between,
    // nor one of its tombstones.
    private async Task<Horizon> BeginSnapshotAsync(SourceTable table, Horizon horizon, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
            SET TRANSACTION READ ONLY;
            LOCK TABLE {table.QualifiedNames} IN ACCESS SHARE MODE;
            SELECT s::text, pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text, {WalFlush.Written}, clock_timestamp()
            FROM pg_current_snapshot() s
            """, connection);
        await using var reader = await ExecuteAsync();
        await reader.ReadAsync(cancellationToken);
        // Whoever began while the lock was waited for may have begun behind a step of the clock.
        return (horizon with
        {
            Snapshot = reader.GetString(0),
            Xmin = Number(reader.GetString(1)),
            Xmax = Number(reader.GetString(2)),
            Lsn = Number(reader.GetString(3)),
        }).Seeing(reader.GetDateTime(4));

        async Task<NpgsqlDataReader> ExecuteAsync()
        {
            try
            {
                return await command.ExecuteReaderAsync(cancellationToken);
            }
            catch (PostgresException e) when (table.Tombstones is not null && e.SqlState == PostgresErrorCodes.UndefinedTable)
            {
                throw TombstoneTable.IsAnother(e);
            }
        }
    }

    /// <summary>What the snapshot shows, in one round trip. Seen is null where there are more than the limit.</summary>
    private async Task<(ImmutableArray<uint>? Seen, ImmutableArray<RowWitness> Newest, TableFacts Facts, TableChange Change)> LookAsync(
        SourceTable table, Horizon? previous, Horizon horizon, CancellationToken cancellationToken)
    {
        var catalogue = new TableFactsReader(table, previous, horizon);
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands = { catalogue.Storage(), catalogue.Values(), new(HorizonQueries.Newest(table, horizon.TakenAt)) },
        };
        // Nothing was running: every visible row is below H.
        var isAllBelow = horizon.Xmin == horizon.Xmax;
        var isOfAnyTime = previous?.UnguardedBelow > horizon.Xmin;
        if (!isAllBelow) batch.BatchCommands.Add(new(HorizonQueries.Seen(table, horizon, options.SeenTransactions, isOfAnyTime)));

        var newest = ImmutableArray.CreateBuilder<RowWitness>();
        ImmutableArray<uint>? seen = [];
        TableFacts facts;
        TableChange change;
        await using (var reader = await batch.ExecuteReaderAsync(cancellationToken))
        {
            (facts, change) = await catalogue.ReadAsync(reader, cancellationToken);
            await reader.NextResultAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken)) newest.Add(WitnessOf(reader));
            await reader.NextResultAsync(cancellationToken);
            if (!isAllBelow) seen = await SeenAsync(reader, cancellationToken);
        }
        // Rows that come again are less than rows that are held back.
        if (seen is null && isOfAnyTime) seen = await RecentlySeenAsync(table, horizon, cancellationToken);
        return (seen, newest.ToImmutable(), facts, change);
    }

    private async Task<ImmutableArray<uint>?> RecentlySeenAsync(SourceTable table, Horizon horizon, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(HorizonQueries.Seen(table, horizon, options.SeenTransactions), connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await SeenAsync(reader, cancellationToken);
    }

    /// <summary>Null: there are more than the limit.</summary>
    private async Task<ImmutableArray<uint>?> SeenAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        var seen = ImmutableArray.CreateBuilder<uint>();
        while (await reader.ReadAsync(cancellationToken)) seen.Add((uint)Number(reader.GetString(0)));
        if (seen.Count > options.SeenTransactions) return null;
        seen.Sort();
        return seen.ToImmutable();
    }

    private static RowWitness WitnessOf(NpgsqlDataReader reader) => new(
        (uint)Number(reader.GetString(0)), reader.IsDBNull(1) ? "" : reader.GetString(1),
        [.. Enumerable.Range(2, reader.FieldCount - 2).Select(reader.GetString)]);

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
