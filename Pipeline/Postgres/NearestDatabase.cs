using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>Which database may be meant where there is none of the configured name.</summary>
internal static class NearestDatabase
{
    /// <summary>There is one on nearly every server, for those who ask about the others.</summary>
    private const string Maintenance = "postgres";

    /// <summary>A sentence with a blank behind it, or nothing.</summary>
    /// <param name="options">How to log in.</param>
    /// <param name="login">That was refused, since its database is not there.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public static async Task<string> OfAsync(
        PostgresOptions options, NpgsqlConnectionStringBuilder login, CancellationToken cancellationToken)
    {
        var elsewhere = new NpgsqlConnectionStringBuilder(login.ConnectionString) { Database = Maintenance };
        var found = new List<string>();
        try
        {
            await using var connection = SourceLogin.NewConnection(options, elsewhere.ConnectionString);
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand(
                "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1", connection);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken)) found.Add(reader.GetString(0));
        }
        catch (NpgsqlException)
        {
            // Not everybody may, and not every server has it: a hint is all that is missing then.
        }
        return Of(login.Database!, found);
    }

    internal static string Of(string database, IReadOnlyList<string> found) =>
        NearestName.Of(database, found) is { } near ? $"Did you mean {near}? " : "";
}
