using Npgsql;
using OrdersStream.Demo.Servers;

namespace OrdersStream.TestKit.Servers;

/// <summary>
/// The Postgres of all tests of the assembly: a private one from this machine's binaries, or the one that the environment
/// names. Each test takes a database of its own, so that no test's sessions or tables are another one's.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    /// <summary>Least privilege: may read what it is granted, and sees the sessions of all roles.</summary>
    public const string PipelineRole = "orders_stream_test_pipeline";

    /// <summary>The same without pg_read_all_stats: the sessions of other roles are hidden from it.</summary>
    public const string BlindRole = "orders_stream_test_blind";

    /// <summary>Password of both roles.</summary>
    public const string RolePassword = "test-only-word";

    private readonly Dictionary<string, string>? ownSettings;
    private readonly bool overTcp;
    private LocalPostgres? local;
    private string? whyMissing;
    private NpgsqlConnectionStringBuilder admin = [];

    public PostgresServer()
    {
    }

    private PostgresServer(Dictionary<string, string> settings, bool overTcp) => (ownSettings, this.overTcp) = (settings, overTcp);

    /// <summary>A private server for one test that does to it what others should not see.</summary>
    public static Task<PostgresServer> StartOwnAsync(params (string Name, string Value)[] settings) =>
        StartOwnAsync(overTcp: false, settings);

    /// <summary>The same that listens on 127.0.0.1 too, and asks for passwords there.</summary>
    public static Task<PostgresServer> StartOwnOverTcpAsync(params (string Name, string Value)[] settings) =>
        StartOwnAsync(overTcp: true, settings);

    private static async Task<PostgresServer> StartOwnAsync(bool overTcp, (string Name, string Value)[] settings)
    {
        var server = new PostgresServer(settings.ToDictionary(s => s.Name, s => s.Value), overTcp);
        await server.InitializeAsync();
        if (server.whyMissing is not null) TestEnvironment.MissingServer(server.whyMissing);
        return server;
    }

    /// <summary>Stops a private server and starts it again; all sessions are gone.</summary>
    public Task RestartAsync() => local!.RestartAsync(ShutdownMode.Fast, TestContext.Current.CancellationToken);

    /// <summary>Stops a private server the hard way and starts it again: it recovers from its log.</summary>
    public Task CrashAsync() => local!.RestartAsync(ShutdownMode.Immediate, TestContext.Current.CancellationToken);

    /// <summary>The end of a private server, in the hard way.</summary>
    public Task EndAsync() => local!.StopAsync(ShutdownMode.Immediate, TestContext.Current.CancellationToken);

    /// <summary>Stops a private server as it likes to be, and starts it again when something was done to its files.</summary>
    public async Task WhileStoppedAsync(Func<string, Task> toDataFolder)
    {
        string folder;
        await using (var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Pooling = false }.ConnectionString))
        {
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand("SHOW data_directory", connection);
            folder = (string)(await command.ExecuteScalarAsync())!;
        }
        await local!.StopAsync(ShutdownMode.Fast, TestContext.Current.CancellationToken);
        await toDataFolder(folder);
        await local.StartAgainAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Freezes all rows of a database, the catalogue's too.</summary>
    public async Task FreezeAsync(string database)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Pooling = false, Database = database }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("VACUUM FREEZE", connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Folder of the private server's socket, and the number in its name.</summary>
    public (string Folder, int Port) Socket => (local!.Host, local.Port);

    /// <summary>The private server's TCP port.</summary>
    public int Port => local!.Port;

    /// <summary>The private server's socket.</summary>
    public string SocketPath => Path.Combine(local!.Host, $".s.PGSQL.{local.Port}");

    public async ValueTask InitializeAsync()
    {
        if (ownSettings is null && TestEnvironment.Read(TestEnvironment.Postgres) is { } connectionString)
        {
            admin = new(connectionString);
        }
        else
        {
            try
            {
                local = await LocalPostgres.StartAsync(
                    new LocalPostgresOptions { Settings = Settings(), Tcp = overTcp, InMemory = true }, CancellationToken.None);
            }
            catch (LocalPostgresException e)
            {
                whyMissing = $"needs Postgres: {e.Message} Or set {TestEnvironment.Postgres} to the connection string of a superuser.";
                return;
            }
            admin = new(local.ConnectionString("postgres"));
        }
        // The driver's own patience is shorter than a busy machine may take for a database.
        admin.Timeout = admin.CommandTimeout = (int)Waiting.Patience.TotalSeconds;
        await CreateRolesAsync();
    }

    /// <summary>A fresh, empty database.</summary>
    /// <param name="named">Null: one that is nowhere else.</param>
    public async Task<TestDatabase> CreateDatabaseAsync(string? named = null)
    {
        if (whyMissing is not null) TestEnvironment.MissingServer(whyMissing);
        var name = named ?? UniqueName.Of("test_");
        await ExecuteAsync($"CREATE DATABASE {name} TEMPLATE template0{local?.AsFiles}");
        return new TestDatabase(
            this, new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Database = name, IncludeErrorDetail = true });
    }

    /// <summary>One statement in the maintenance database, outside any transaction.</summary>
    internal async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(admin.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (local is not null) await local.DisposeAsync();
    }

    private Dictionary<string, string> Settings()
    {
        var settings = new Dictionary<string, string>
        {
            ["max_prepared_transactions"] = "50",
            ["max_connections"] = "200",
            // Background sessions would make "nothing was committed meanwhile" a matter of luck.
            ["autovacuum"] = "off",
            ["shared_buffers"] = "128MB",
            // A poll waits for what it saw to be on the disk, which open transactions put off by this.
            ["wal_writer_delay"] = "10",
        };
        foreach (var (name, value) in ownSettings ?? []) settings[name] = value;
        return settings;
    }

    private async Task CreateRolesAsync()
    {
        foreach (var role in new[] { PipelineRole, BlindRole })
            await ExecuteAsync(
                $"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
                + $"THEN CREATE ROLE {role} LOGIN PASSWORD '{RolePassword}'; END IF; END $$");
        await ExecuteAsync($"GRANT pg_read_all_stats TO {PipelineRole}");
    }
}
