using System.Globalization;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>
/// Who may still commit rows of this database, and so holds a horizon's bound back: the one condition for taking a horizon and for
/// whoever shows what holds it.
/// </summary>
internal static class OpenTransactions
{
    /// <summary>
    /// Rows of pg_stat_activity: all backends of this database but our own, of whatever type; one that the role may not see has none. A
    /// vacuum commits nothing. A walsender with a database runs SQL like any session, and so does one that took a base backup, whose state
    /// it keeps; once it streams it can write nothing, and it is in a transaction of its own whenever it decodes.
    /// </summary>
    public const string Sessions =
        "pg_stat_activity a WHERE datname = current_database() AND pid <> pg_backend_pid() "
        + "AND backend_type IS DISTINCT FROM 'autovacuum worker' "
        + "AND NOT EXISTS (SELECT FROM pg_stat_get_wal_senders() w WHERE w.pid = a.pid AND w.state NOT IN ('startup', 'backup'))";

    /// <summary>
    /// Of <see cref="Sessions"/>: no transaction of the session, the one that is open or one that it is about to begin, has a time before.
    /// The transactions of one message have the time at which it came, and between two of them the session shows none. But those that a
    /// procedure begins have their own; and one that takes a base backup writes nothing in all the hours.
    /// </summary>
    public const string Start =
        """
        least(xact_start, CASE WHEN state <> 'idle' AND NOT (backend_type = 'walsender' AND query ILIKE 'BASE\_BACKUP%')
                                    AND NOT (query ~* '^\s*call\M[^;]*;?\s*$' AND octet_length(query) < 99) THEN query_start END)
        """;

    /// <summary>Rows of pg_prepared_xacts.</summary>
    public const string Prepared = "pg_prepared_xacts WHERE database = current_database()";

    /// <summary>
    /// Of <see cref="Sessions"/>: in a transaction, as its lock on its own virtual id shows, of which it does not show when it began. It is
    /// hidden, not absent: a walsender's never shows, nor where track_activities is or was off, or the role may not see it. Such a client
    /// is at work, too, while it does not wait for a message: between two transactions of one it has neither the lock nor a time.
    /// </summary>
    public const string IsHidden =
        "xact_start IS NULL AND state IS DISTINCT FROM 'idle' "
        + "AND (pid IN (SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND granted) "
        + "OR state = 'disabled' AND backend_type = 'client backend' AND wait_event IS DISTINCT FROM 'ClientRead')";

    /// <summary>Whether some session is hidden.</summary>
    public const string AnyHidden = $"coalesce(bool_or({IsHidden}), false)";

    /// <summary>SELECT of the hidden ones: kind, since when and for how many seconds the session is there, pid, application.</summary>
    public const string Hidden =
        "SELECT 'hidden', since, extract(epoch FROM clock_timestamp() - since)::float8, pid, application_name "
        + $"FROM (SELECT *, coalesce(backend_start, pg_postmaster_start_time()) AS since FROM {Sessions} AND {IsHidden}) h WHERE true";

    /// <summary>
    /// SELECT of the same columns and its id, of the transaction with the least id: of any database, since H is the server's.
    /// </summary>
    public const string OldestWriting =
        """
        SELECT CASE WHEN l.pid IS NULL THEN 'prepared' ELSE 'open' END, since, extract(epoch FROM clock_timestamp() - since)::float8,
               l.pid, a.application_name, l.transactionid::text
        FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
             LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND p.transaction = l.transactionid,
             LATERAL (SELECT coalesce(p.prepared, a.xact_start, a.backend_start, pg_postmaster_start_time())) s(since)
        WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
        ORDER BY age(l.transactionid) DESC LIMIT 1
        """;

    /// <summary>The transaction with the least id; null: none has one.</summary>
    public static async Task<OldestWriter?> OldestWriterAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(OldestWriting, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? ReadWriter(reader) : null;
    }

    /// <summary>The oldest session that is hidden from a role which may see all; null: none is, or the role may not.</summary>
    public static async Task<OldestOpen?> OldestHiddenAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"{Hidden} AND pg_has_role('pg_read_all_stats', 'USAGE') ORDER BY 2 LIMIT 1", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? OldestOpen.Read(reader) : null;
    }

    internal static OldestWriter ReadWriter(NpgsqlDataReader reader) =>
        new(uint.Parse(reader.GetString(5), CultureInfo.InvariantCulture), OldestOpen.Read(reader));
}

/// <summary>The session that holds the poller's lock.</summary>
internal sealed record PollerSession(int Pid, string Application, string? ClientAddress, DateTime Since);

/// <summary>A transaction that holds something back.</summary>
/// <param name="Kind">open, prepared, or hidden.</param>
/// <param name="StartedAt">For a prepared one: when it was prepared; for a hidden one: when its session began.</param>
/// <param name="Pid">Its session; null: it is prepared.</param>
internal sealed record OldestOpen(string Kind, DateTime StartedAt, double Seconds, int? Pid, string? Application)
{
    /// <summary>In words: whose it is, and how long it has been so.</summary>
    public override string ToString() => Pid is { } pid
        ? string.Create(CultureInfo.InvariantCulture, $"the {Kind} transaction of session {pid} ({Application}), for {Seconds:N0} s")
        : string.Create(CultureInfo.InvariantCulture, $"a transaction that was prepared {Seconds:N0} s ago");

    /// <summary>From columns in that order.</summary>
    public static OldestOpen Read(NpgsqlDataReader reader) => new(
        reader.GetString(0), reader.GetDateTime(1), reader.GetDouble(2),
        reader.IsDBNull(3) ? null : reader.GetInt32(3), reader.IsDBNull(4) ? null : reader.GetString(4));
}

/// <summary>What the database says of itself at one moment.</summary>
/// <param name="Version">Of the server.</param>
/// <param name="Clock">The database's.</param>
/// <param name="Snapshot">What is committed now, as Postgres prints it.</param>
/// <param name="Rows">Of the table as the planner estimates them; null: never analyzed.</param>
/// <param name="Poller">Null: nobody holds the lock.</param>
/// <param name="Oldest">
/// The transaction that began first of those that are open or prepared, but for the poller's own; null: nothing is open.
/// </param>
/// <param name="Hidden">Of the sessions that do not show when their transaction began, the oldest; null: all do.</param>
/// <param name="Writer">The transaction with the least id; null: none has one.</param>
internal sealed record SourceActivity(
    string Version, DateTime Clock, string Snapshot, long? Rows, PollerSession? Poller, OldestOpen? Oldest, OldestOpen? Hidden,
    OldestWriter? Writer)
{
    /// <param name="connection">To the database.</param>
    /// <param name="publisherName">Names the poller's lock.</param>
    /// <param name="table">The source table's oid.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<SourceActivity> ReadAsync(
        NpgsqlConnection connection, string publisherName, uint table, CancellationToken cancellationToken)
    {
        await using var batch = Batch(connection, publisherName, table);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (version, clock, snapshot) = (reader.GetString(0), reader.GetDateTime(1), reader.GetString(2));
        var rows = reader.GetInt64(3);
        await reader.NextResultAsync(cancellationToken);
        var poller = await reader.ReadAsync(cancellationToken)
            ? new PollerSession(
                reader.GetInt32(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetDateTime(3))
            : null;
        var oldest = await NextAsync(reader, cancellationToken);
        var hidden = await NextAsync(reader, cancellationToken);
        await reader.NextResultAsync(cancellationToken);
        var writer = await reader.ReadAsync(cancellationToken) ? OpenTransactions.ReadWriter(reader) : null;
        return new SourceActivity(version, clock, snapshot, rows < 0 ? null : rows, poller, oldest, hidden, writer);
    }

    private static async Task<OldestOpen?> NextAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        await reader.NextResultAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? OldestOpen.Read(reader) : null;
    }

    private static NpgsqlBatch Batch(NpgsqlConnection connection, string publisherName, uint table)
    {
        var (high, low) = PollerLock.HalvesOf(publisherName);
        return new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(
                    $"""
                    SELECT current_setting('server_version'), clock_timestamp(), pg_current_snapshot()::text,
                           (SELECT reltuples::bigint FROM pg_class WHERE oid = $1::bigint::oid)
                    """) { Parameters = { new() { Value = (long)table } } },
                new NpgsqlBatchCommand(
                    $"""
                    SELECT a.pid, a.application_name, host(a.client_addr), a.backend_start
                    FROM (SELECT pid, database FROM {PollerLock.Holders}) l JOIN pg_stat_activity a USING (pid)
                    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
                new NpgsqlBatchCommand(
                    $"""
                    SELECT 'open', {OpenTransactions.Start}, extract(epoch FROM clock_timestamp() - {OpenTransactions.Start})::float8, pid,
                           application_name
                    FROM {OpenTransactions.Sessions} AND {OpenTransactions.Start} IS NOT NULL
                        AND pid NOT IN (SELECT pid FROM {PollerLock.Holders})
                    UNION ALL
                    SELECT 'prepared', prepared, extract(epoch FROM clock_timestamp() - prepared)::float8, NULL, NULL
                    FROM {OpenTransactions.Prepared}
                    ORDER BY 2 LIMIT 1
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
                new NpgsqlBatchCommand(
                    $"""
                    {OpenTransactions.Hidden} AND pid NOT IN (SELECT pid FROM {PollerLock.Holders}) ORDER BY 2 LIMIT 1
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
                new NpgsqlBatchCommand(OpenTransactions.OldestWriting),
            },
        };
    }
}
