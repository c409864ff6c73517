using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Postgres;

namespace OrdersStream.Status;

/// <summary>What the source database shows at one moment.</summary>
/// <param name="Status">For the document.</param>
/// <param name="Clock">The database's.</param>
/// <param name="Snapshot">What is committed now, as Postgres prints it.</param>
/// <param name="Identity">Which table it is.</param>
/// <param name="Warnings">What an operator should know of table and role.</param>
internal sealed record SourceObservation(
    SourceStatus Status, DateTime Clock, string Snapshot, SourceIdentity Identity, ImmutableArray<string> Warnings)
{
    /// <summary>Changes nothing, and holds no snapshot for longer than a statement.</summary>
    public static async Task<SourceObservation> ReadAsync(
        PipelineOptions options, SourceStatus configured, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var server = await SourceServer.ReadAsync(connection, cancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
        var activity = await ReadAsync(connection, options, table.Oid, cancellationToken);
        var mode = server.SeesAllSessions
            ? "exact: open transactions are seen, however long they take"
            : $"delay: a transaction open for more than {options.Postgres.LateCommitSeconds} s would be missed, "
                + "since the role is no member of pg_read_all_stats";
        if (activity.Hidden) mode += "; the lower bound stands still while a session hides its activity (track_activities off)";
        var status = configured with
        {
            Reachable = true, Version = activity.Version, Rows = activity.Rows, CaptureIsExact = server.SeesAllSessions, CaptureMode = mode,
            Poller = activity.Poller, OldestTransaction = activity.Oldest,
        };
        var warnings = table.Warnings().AddRange(server.Warnings(options.Postgres));
        var identity = new SourceIdentity(server.System, server.Timeline, options.Postgres.Db, status.Table, table.Oid);
        return new SourceObservation(status, activity.Clock, activity.Snapshot, identity, warnings);
    }

    private sealed record Activity(
        string Version, DateTime Clock, string Snapshot, long? Rows, bool Hidden, PollerStatus? Poller, OpenTransaction? Oldest);

    private static async Task<Activity> ReadAsync(NpgsqlConnection connection, PipelineOptions options, uint table, CancellationToken cancellationToken)
    {
        await using var batch = Batch(connection, PollerLock.KeyOf(options.PublisherName), table);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (version, clock, snapshot, rows, hidden) = (reader.GetString(0), reader.GetDateTime(1), reader.GetString(2), reader.GetInt64(3), reader.GetBoolean(4));
        await reader.NextResultAsync(cancellationToken);
        var poller = await reader.ReadAsync(cancellationToken)
            ? new PollerStatus(reader.GetInt32(0), reader.GetString(1), reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetDateTime(3))
            : null;
        await reader.NextResultAsync(cancellationToken);
        var oldest = await reader.ReadAsync(cancellationToken)
            ? new OpenTransaction(
                reader.GetString(0), reader.GetDateTime(1), reader.GetDouble(2), reader.IsDBNull(3) ? null : reader.GetInt32(3), reader.IsDBNull(4) ? null : reader.GetString(4))
            : null;
        return new Activity(version, clock, snapshot, rows < 0 ? null : rows, hidden, poller, oldest);
    }

    private static NpgsqlBatch Batch(NpgsqlConnection connection, long lockKey, uint table)
    {
        var (high, low) = ((long)(uint)(lockKey >> 32), (long)(uint)lockKey);
        return new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(
                    """
                    SELECT current_setting('server_version'), clock_timestamp(), pg_current_snapshot()::text,
                           (SELECT reltuples::bigint FROM pg_class WHERE oid = $1::bigint::oid),
                           (SELECT coalesce(bool_or(state = 'disabled'), false) FROM pg_stat_activity WHERE datname = current_database())
                    """) { Parameters = { new() { Value = (long)table } } },
                new NpgsqlBatchCommand(
                    """
                    SELECT a.pid, a.application_name, host(a.client_addr), a.backend_start
                    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
                      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
                new NpgsqlBatchCommand(
                    """
                    SELECT 'open', xact_start, extract(epoch FROM clock_timestamp() - xact_start)::float8, pid, application_name
                    FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type NOT IN ('autovacuum worker', 'walsender')
                      AND xact_start IS NOT NULL AND pid NOT IN (
                        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = $1::bigint::oid AND objid = $2::bigint::oid)
                    UNION ALL
                    SELECT 'prepared', prepared, extract(epoch FROM clock_timestamp() - prepared)::float8, NULL, NULL
                    FROM pg_prepared_xacts WHERE database = current_database()
                    ORDER BY 2 LIMIT 1
                    """) { Parameters = { new() { Value = high }, new() { Value = low } } },
            },
        };
    }
}
