using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>
/// What every session of ours is set to, whatever role, database and server are set to: a limit that somebody's reports need would end
/// a statement that reads the table, or the session with the poller's lock, and a form of text would change what is read.
/// </summary>
internal static class SessionSettings
{
    /// <summary>Options of the login.</summary>
    public const string AtLogin = "-c statement_timeout=0 -c search_path=pg_catalog,pg_temp";

    private static readonly (string Name, string Value)[] Ours =
    [
        // A server that is stuck is noticed by keepalives; an idle session holds the lock, and no snapshot.
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("transaction_timeout", "0"),
        // Postgres then refuses to read what a policy would hide, instead of leaving it out (invariant 1).
        ("row_security", "off"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_deferrable", "off"),
        // Text forms that cursors, literals and horizons rely on.
        ("client_encoding", "UTF8"),
        ("datestyle", "ISO, YMD"),
        ("intervalstyle", "postgres"),
        ("timezone", "UTC"),
        ("extra_float_digits", "1"),
        ("bytea_output", "hex"),
        ("lc_monetary", "C"),
        ("standard_conforming_strings", "on"),
        // No plan that starts slowly to be fast in the end.
        ("jit", "off"),
    ];

    /// <summary>Whether each session sets it for itself.</summary>
    public static bool IsSet(string name) =>
        name is "statement_timeout" or "search_path" || Array.Exists(Ours, s => s.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>
    /// First, where the login could not say it, what could end the rest, and what names are looked up by: a temporary table would come
    /// before all schemas if it were not named last. Then what this server knows of the list.
    /// </summary>
    private static readonly string Statements =
        $"""
        SET statement_timeout = 0;
        SET search_path = pg_catalog, pg_temp;
        SELECT set_config(name, value, false)
        FROM (VALUES {string.Join(", ", Ours.Select(s => $"('{s.Name}', '{s.Value}')"))}) AS ours (name, value)
        WHERE name IN (SELECT lower(name) FROM pg_settings)
        """;

    /// <summary>One round trip, of a new session.</summary>
    public static async Task ApplyAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Statements, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
