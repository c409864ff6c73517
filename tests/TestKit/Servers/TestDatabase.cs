using Npgsql;

namespace OrdersStream.TestKit.Servers;

/// <summary>One test's own database: dropped with everything in it when the test is over.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly PostgresServer server;
    private readonly NpgsqlConnectionStringBuilder connectionString;
    private readonly NpgsqlDataSource source;

    internal TestDatabase(PostgresServer server, NpgsqlConnectionStringBuilder connectionString)
    {
        this.server = server;
        this.connectionString = connectionString;
        source = NpgsqlDataSource.Create(connectionString.ConnectionString);
    }

    public string Name => connectionString.Database!;
    public string Host => connectionString.Host!;
    public int Port => connectionString.Port;
    public string Superuser => connectionString.Username!;
    public string? SuperuserPassword => connectionString.Password;

    /// <summary>The superuser's.</summary>
    public NpgsqlConnectionStringBuilder Login => new(connectionString.ConnectionString);

    /// <summary>Another role's, whose password is <see cref="PostgresServer.RolePassword"/>.</summary>
    public NpgsqlConnectionStringBuilder LoginOf(string role) =>
        new(connectionString.ConnectionString) { Username = role, Password = PostgresServer.RolePassword };

    /// <summary>A session of its own, as a client of the source has one.</summary>
    public async Task<NpgsqlConnection> OpenSessionAsync() => await source.OpenConnectionAsync();

    /// <summary>The server was restarted: the sessions in the pool are dead.</summary>
    public void ForgetSessions() => source.Clear();

    /// <summary>Runs statements, each committed by itself unless they say otherwise.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await source.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    /// <summary>The first column of the first row.</summary>
    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync() ?? throw new InvalidOperationException($"no row: {sql}"));
    }

    /// <summary>Waits until the server says that a condition holds.</summary>
    public Task UntilAsync(string what, string condition) =>
        Waiting.UntilAsync(() => ScalarAsync<bool>(condition), null, () => $"not so: {what}");

    /// <summary>All rows, each value as Postgres prints it (null for NULL); select text.</summary>
    public async Task<List<string?[]>> TextRowsAsync(string sql)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string?[]>();
        while (await reader.ReadAsync())
        {
            var row = new string?[reader.FieldCount];
            for (var i = 0; i < row.Length; i++) row[i] = await reader.IsDBNullAsync(i) ? null : reader.GetString(i);
            rows.Add(row);
        }
        return rows;
    }

    public async ValueTask DisposeAsync()
    {
        // A prepared transaction outlives its session, and keeps the database from being dropped.
        foreach (var row in await TextRowsAsync("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"))
            await ExecuteAsync($"ROLLBACK PREPARED '{row[0]}'");
        await source.DisposeAsync();
        await server.ExecuteAsync($"DROP DATABASE {Name} WITH (FORCE)");
    }
}

/// <summary>Short forms for a session of a test.</summary>
public static class SessionExtensions
{
    public static async Task ExecuteAsync(this NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
