using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>What is known of the server behind a connection; it cannot change while the connection lives.</summary>
/// <param name="System">System identifier.</param>
/// <param name="Timeline">Eight hexadecimal digits.</param>
/// <param name="StartedAt">
/// Start of the postmaster, or of its processes where it began anew since: after one of them was killed it recovers as after a crash. A
/// role that may not see when they began knows only that its own session did not live through it: each may be the first since.
/// </param>
/// <param name="SeesAllSessions">The role may see when others' transactions began (pg_read_all_stats).</param>
/// <param name="DatabaseOid">Of the database that the connection leads to.</param>
public sealed record SourceServer(string System, string Timeline, DateTime StartedAt, bool SeesAllSessions, uint DatabaseOid)
{
    /// <summary>Of a table of the database that the connection leads to.</summary>
    /// <param name="options">Its name.</param>
    /// <param name="tableOid">Its oid.</param>
    internal SourceIdentity IdentityOf(PostgresOptions options, uint tableOid) =>
        new(System, Timeline, options.Db, $"{options.Schema}.{options.Table}", tableOid) { DatabaseOid = DatabaseOid };

    /// <summary>An expression for <see cref="StartedAt"/>.</summary>
    internal const string Started =
        """
        greatest(pg_postmaster_start_time(),
                 coalesce((SELECT max(backend_start) FROM pg_stat_activity WHERE backend_type = 'checkpointer'),
                          (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())))
        """;

    /// <summary>What the role cannot see, and what follows.</summary>
    public ImmutableArray<Advice> Warnings(PostgresOptions options) => SeesAllSessions
        ? []
        : [
            new("open transactions",
                $"role {options.User} is no member of pg_read_all_stats, so others' open transactions cannot be seen: "
                + $"rows of one open for more than {options.LateCommitSeconds} s would be missed",
                $"GRANT pg_read_all_stats TO {Sql.Identifier(options.User)}"),
        ];

    /// <exception cref="PipelineException">The server is a standby.</exception>
    public static async Task<SourceServer> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using (var recovery = new NpgsqlCommand("SELECT pg_is_in_recovery()", connection))
            if ((bool)(await recovery.ExecuteScalarAsync(cancellationToken))!)
                throw new PipelineException(FailureAction.Stop,
                    "The Postgres server is a standby (it is in recovery).",
                    "Point postgres.host and postgres.port at the primary.");

        // The name of the WAL file being written begins with the timeline: right at once after a promotion, and any role may read it.
        await using var command = new NpgsqlCommand(
            $"""
            SELECT (SELECT system_identifier::text FROM pg_control_system()),
                   left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
                   {Started},
                   pg_has_role('pg_read_all_stats', 'USAGE'),
                   (SELECT oid FROM pg_database WHERE datname = current_database())
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new SourceServer(
            reader.GetString(0), reader.GetString(1), reader.GetDateTime(2), reader.GetBoolean(3), reader.GetFieldValue<uint>(4));
    }
}
