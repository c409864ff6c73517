using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>What is known of the server behind a connection; it cannot change while the connection lives.</summary>
/// <param name="System">System identifier.</param>
/// <param name="Timeline">Eight hexadecimal digits.</param>
/// <param name="StartedAt">Start of the postmaster.</param>
/// <param name="CommitsAreSynchronous">False: a crash of the server may lose committed rows, and reuse their transaction ids.</param>
/// <param name="SeesAllSessions">The role may see when others' transactions began (pg_read_all_stats).</param>
public sealed record SourceServer(string System, string Timeline, DateTime StartedAt, bool CommitsAreSynchronous, bool SeesAllSessions)
{
    /// <summary>What the role cannot see, and what follows.</summary>
    public ImmutableArray<string> Warnings(PostgresOptions options) => SeesAllSessions
        ? []
        : [
            $"role {options.User} is no member of pg_read_all_stats, so others' open transactions cannot be seen: "
            + $"rows of one open for more than {options.LateCommitSeconds} s would be missed; GRANT pg_read_all_stats TO it",
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
            """
            SELECT (SELECT system_identifier::text FROM pg_control_system()),
                   left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
                   pg_postmaster_start_time(),
                   current_setting('synchronous_commit') <> 'off',
                   pg_has_role('pg_read_all_stats', 'USAGE')
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new SourceServer(
            reader.GetString(0), reader.GetString(1), reader.GetDateTime(2), reader.GetBoolean(3), reader.GetBoolean(4));
    }
}
