using System.Collections.Immutable;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>What server and role are set to, as far as a stream may be surprised by it.</summary>
/// <param name="Version">Of the server.</param>
/// <param name="Encryption">The protocol's version; null: there is none.</param>
/// <param name="NotDurable">Settings that are off, and without which a crash may cost what was committed.</param>
/// <param name="ConnectionLimit">Of the role; below 0: none.</param>
/// <param name="PasswordUntil">When the role's password ends; null: never.</param>
/// <param name="Overridden">What role and database are set to, and each session of ours sets otherwise, as <c>name=value</c>.</param>
internal sealed record SourceFacts(
    string Version, string? Encryption, ImmutableArray<string> NotDurable, int ConnectionLimit, DateTime? PasswordUntil,
    ImmutableArray<string> Overridden)
{
    public static async Task<SourceFacts> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT current_setting('server_version'),
                   (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),
                   ARRAY(SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name),
                   r.rolconnlimit, CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END,
                   ARRAY(SELECT DISTINCT c FROM pg_db_role_setting s, unnest(s.setconfig) c
                         WHERE s.setrole IN (0, r.oid) AND s.setdatabase IN (0, d.oid) ORDER BY c)
            FROM pg_roles r, pg_database d WHERE r.rolname = session_user AND d.datname = current_database()
            """, connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new SourceFacts(
            reader.GetString(0), reader.IsDBNull(1) ? null : reader.GetString(1), [.. reader.GetFieldValue<string[]>(2)],
            reader.GetInt32(3), reader.IsDBNull(4) ? null : reader.GetDateTime(4),
            [.. reader.GetFieldValue<string[]>(5).Where(s => SessionSettings.IsSet(s.Split('=')[0]))]);
    }
}
