using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>
/// Who may still commit rows of this database, and so holds a horizon's bound back: the one condition for taking a horizon and for
/// whoever shows what holds it.
/// </summary>
internal static class OpenTransactions
{
    /// <summary>
    /// Rows of pg_stat_activity: sessions of this database but our own; a vacuum commits nothing, a walsender has no database.
    /// </summary>
    public const string Sessions =
        "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        + "AND backend_type NOT IN ('autovacuum worker', 'walsender')";

    /// <summary>Rows of pg_prepared_xacts.</summary>
    public const string Prepared = "pg_prepared_xacts WHERE database = current_database()";

    /// <summary>Whether some session does not show when its transaction began (track_activities off).</summary>
    public const string AnyHidden = "coalesce(bool_or(state = 'disabled'), false)";
}

/// <summary>The session that holds the poller's lock.</summary>
internal sealed record PollerSession(int Pid, string Application, string? ClientAddress, DateTime Since);

/// <summary>The transaction that began first of those that are open or prepared.</summary>
/// <param name="Kind">open or prepared.</param>
/// <param name="StartedAt">For a prepared one: when it was prepared.</param>
/// <param name="Pid">Its session; null: it is prepared.</param>
internal sealed record OldestOpen(string Kind, DateTime StartedAt, double Seconds, int? Pid, string? Application);

/// <summary>What the database says of itself at one moment.</summary>
/// <param name="Version">Of the server.</param>
/// <param name="Clock">The database's.</param>
/// <param name="Snapshot">What is committed now, as Postgres prints it.</param>
/// <param name="Rows">Of the table as the planner estimates them; null: never analyzed.</param>
/// <param name="AnyHidden">Some session does not show when its transaction began.</param>
/// <param name="Poller">Null: nobody holds the lock.</param>
/// <param name="Oldest">But for the poller's own; null: nothing is open.</param>
internal sealed record SourceActivity(
    string Version, DateTime Clock, string Snapshot, long? Rows, bool AnyHidden, PollerSession? Poller, OldestOpen? Oldest)
{
    // Which sessions hold the advisory lock of a 64-bit key: its upper half is $1, its lower half $2.
    private const string LockHolders =
        "pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = $1::bigint::oid AND objid = $2::bigint::oid";

    /// <param name="connection">To the database.</param>
    /// <param name="publisherName">Names the poller's lock.</param>
    /// <param name="table">The source table's oid.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<SourceActivity> ReadAsync(
        NpgsqlConnection connection, string publisherName, uint table, CancellationToken cancellationToken)
    {
        await using var batch = Batch(connection, PollerLock.KeyOf(publisherName), table);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (version, clock, snapshot) = (reader.GetString(0), reader.GetDateTime(1), reader.GetString(2));
        var (rows, hidden) = (reader.GetInt64(3), reader.GetBoolean(4));
        await reader.NextResultAsync(cancellationToken);
        var poller = await reader.ReadAsync(cancellationToken)
            ? new PollerSession(
                reader.GetInt32(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetDateTime(3))
            : null;
        await reader.NextResultAsync(cancellationToken);
        var oldest = await reader.ReadAsync(cancellationToken)
            ? new OldestOpen(
                reader.GetString(0), reader.GetDateTime(1), reader.GetDouble(2),
                reader.IsDBNull(3) ? null : reader.GetInt32(3), reader.IsDBNull(4) ? null : reader.GetString(4))
            : null;
        return new SourceActivity(version, clock, snapshot, rows < 0 ? null : rows, hidden, poller, oldest);
    }

    private static NpgsqlBatch Batch(NpgsqlConnection connection, long lockKey, uint table)
    {
        var (high, low) = ((long)(uint)(lockKey >> 32), (long)(uint)lockKey);
        return new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(
                    $"""
                    SELECT current_setting('server_version'), clock_timestamp(), pg_current_snapshot()::text,
                           (SELECT reltuples::bigint FROM pg_class WHERE oid = $1::bigint::oid),
                           (SELECT {OpenTransactions.AnyHidden} FROM {OpenTransactions.Sessions})
                    """) { Parameters = { new() { Value = (long)table } } },
                new NpgsqlBatchCommand(
                    $"""
                    SELECT a.pid, a.application_name, host(a.client_addr), a.backend_start
                    FROM (SELECT pid, database FROM {LockHolders}) l JOIN pg_stat_activity a USING (pid)
                    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
                new NpgsqlBatchCommand(
                    $"""
                    SELECT 'open', xact_start, extract(epoch FROM clock_timestamp() - xact_start)::float8, pid, application_name
                    FROM {OpenTransactions.Sessions} AND xact_start IS NOT NULL AND pid NOT IN (SELECT pid FROM {LockHolders})
                    UNION ALL
                    SELECT 'prepared', prepared, extract(epoch FROM clock_timestamp() - prepared)::float8, NULL, NULL
                    FROM {OpenTransactions.Prepared}
                    ORDER BY 2 LIMIT 1
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
            },
        };
    }
}
