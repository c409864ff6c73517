using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// One poller at a time: an advisory lock of the session. It is gone with the connection, so a dead poller never holds
/// it; and a live one that lost its connection is fenced by Kafka's transactional id. A pool may keep the session when its client is gone:
/// who finds the lock taken says by whom.
/// </summary>
internal static class PollerLock
{
    /// <summary>
    /// Held twice, so that one can be let go and taken again without a moment in which nobody holds it: false where the session has none.
    /// </summary>
    private const string StillHeld = "pg_advisory_unlock($1) AND pg_try_advisory_lock($1)";

    /// <summary>Sessions of pg_locks that hold the lock of a key, of whatever database; with <see cref="HalvesOf"/> as $1 and $2.</summary>
    internal const string Holders =
        "pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = $1::bigint::oid AND objid = $2::bigint::oid";

    /// <returns>False when another session holds it.</returns>
    public static async Task<bool> TryTakeAsync(NpgsqlConnection connection, string publisherName, CancellationToken cancellationToken)
    {
        await using var command = Command(
            connection, "SELECT pg_try_advisory_lock($1) AND pg_try_advisory_lock($1)", KeyOf(publisherName));
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>
    /// What is committed now, as Postgres prints it, and the database's clock just before, seen by the session that holds the lock. One
    /// short statement.
    /// </summary>
    /// <exception cref="PipelineException">The session does not hold it any more, or is another one than it was.</exception>
    public static async Task<(string Snapshot, DateTime Clock)> SnapshotAsync(
        NpgsqlConnection connection, string publisherName, CancellationToken cancellationToken)
    {
        await using var command = Command(
            connection, $"SELECT pg_current_snapshot()::text, {StillHeld}, statement_timestamp()", KeyOf(publisherName));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        if (reader.GetBoolean(1)) return (reader.GetString(0), reader.GetDateTime(2));
        throw new PipelineException(new FailureVerdict(FailureAction.Retry,
            "The session to Postgres no longer holds the poller's lock: something between gave it to another client, or let the lock go.",
            "Where it comes again, connect to the server itself.", SeesItself: true));
    }

    /// <summary>Who holds the lock; null: nobody any more.</summary>
    public static async Task<string?> HolderAsync(NpgsqlConnection connection, string publisherName, CancellationToken cancellationToken)
    {
        var (high, low) = HalvesOf(publisherName);
        await using var command = Command(
            connection,
            $"""
            SELECT format('session %s%s%s%s%s', l.pid, ', application ' || quote_literal(nullif(a.application_name, '')),
                          ', from ' || host(a.client_addr), ', there since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SSZ'),
                          ', idle since ' || CASE WHEN a.state = 'idle' THEN to_char(a.state_change, 'YYYY-MM-DD HH24:MI:SSZ') END)
            FROM (SELECT pid, database FROM {Holders}) l LEFT JOIN pg_stat_activity a USING (pid)
            WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """, high, low);
        return (string?)await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>A key of 64 bits as pg_locks shows it: its upper half, its lower half.</summary>
    internal static (long High, long Low) HalvesOf(string publisherName)
    {
        var key = KeyOf(publisherName);
        return ((long)(uint)(key >> 32), (long)(uint)key);
    }

    internal static long KeyOf(string publisherName) =>
        BinaryPrimitives.ReadInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(publisherName)));

    private static NpgsqlCommand Command(NpgsqlConnection connection, string text, params long[] values)
    {
        var command = new NpgsqlCommand(text, connection);
        foreach (var value in values) command.Parameters.Add(new() { Value = value });
        return command;
    }
}
