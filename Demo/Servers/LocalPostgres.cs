using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// A private Postgres server in a fresh temporary folder: own data, own socket, no TCP unless asked for. It never touches a server
/// that is there already, and is gone when this object, or this process, is.
/// </summary>
public sealed class LocalPostgres : IAsyncDisposable
{
    public const string Superuser = "postgres";

    /// <summary>Attempts to find a TCP port that nobody takes between our choice and the server's start.</summary>
    private const int PortAttemptsMax = 5;
    private const int StartSecondsMax = 60;

    private readonly PostgresBinaries binaries;
    private readonly LocalPostgresOptions options;
    private readonly UnprivilegedUser? user;
    private readonly ServerFolder folder;
    private readonly Watchdog watchdog;
    private bool running;

    private LocalPostgres(PostgresBinaries binaries, LocalPostgresOptions options, UnprivilegedUser? user)
    {
        this.binaries = binaries;
        this.options = options;
        this.user = user;
        folder = ServerFolder.Create(options.InMemory);
        watchdog = Watchdog.Over(folder);
    }

    public int MajorVersion => binaries.MajorVersion;

    /// <summary>Ends CREATE DATABASE: the template is copied file by file, in a fifth of the time of its way through the log.</summary>
    public string AsFiles => MajorVersion >= 15 ? " STRATEGY file_copy" : "";

    /// <summary>What Npgsql takes as host: the folder of the socket, or 127.0.0.1.</summary>
    public string Host => OperatingSystem.IsWindows() ? "127.0.0.1" : folder.Run;

    /// <summary>TCP port, and the number in the socket's name.</summary>
    public int Port { get; private set; } = 5432;

    /// <summary>The superuser's password; null where only the socket, in a folder that others cannot enter, leads to the server.</summary>
    public string? Password { get; private set; }

    /// <summary>Where the server writes its log.</summary>
    public string LogFile => folder.LogFile;

    /// <summary>Stops what dead runs left, makes a cluster and starts it.</summary>
    /// <exception cref="LocalPostgresException">No programs were found, or they failed; with the remedy.</exception>
    public static async Task<LocalPostgres> StartAsync(LocalPostgresOptions options, CancellationToken cancellationToken)
    {
        var binaries = options.BinDirectory is { } directory
            ? await PostgresBinaries.InAsync(directory, cancellationToken)
                ?? throw new LocalPostgresException(
                    $"{directory} does not hold initdb, pg_ctl and postgres of version {PostgresBinaries.LeastVersion} or later.",
                    "Name the folder that does.")
            : await PostgresBinaries.FindAsync(cancellationToken)
                ?? throw new LocalPostgresException(
                    "found no Postgres programs (initdb, pg_ctl, postgres) on this machine.", InstallAdvice);
        var server = new LocalPostgres(binaries, options, await UnprivilegedUser.ForRootAsync(cancellationToken));
        try
        {
            await server.RemoveStaleAsync(cancellationToken);
            await server.InitializeAsync(cancellationToken);
            await server.LaunchAsync(cancellationToken);
            if (options.Database is { } database) await server.CreateDatabaseAsync(database, cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>How to get Postgres' programs.</summary>
    public static string InstallAdvice =>
        OperatingSystem.IsMacOS() ? "Install them: brew install postgresql@17"
        : OperatingSystem.IsWindows() ? "Install them: winget install PostgreSQL.PostgreSQL.17"
        : "Install them: sudo apt-get install postgresql (Debian, Ubuntu), sudo dnf install postgresql-server (Fedora, RHEL)";

    /// <summary>The superuser's connection string.</summary>
    public string ConnectionString(string? database = null) => ConnectionStringOf(Superuser, Password, database);

    /// <summary>
    /// The connection string of any role. <paramref name="tcp"/> goes by 127.0.0.1 where <see cref="LocalPostgresOptions.Tcp"/> is set.
    /// </summary>
    public string ConnectionStringOf(
        string role, string? password, string? database = null, bool tcp = false) => new NpgsqlConnectionStringBuilder
    {
        Host = tcp ? "127.0.0.1" : Host,
        Port = Port,
        Username = role,
        Password = password,
        Database = database ?? options.Database ?? "postgres",
        IncludeErrorDetail = false,
    }.ConnectionString;

    public async Task CreateDatabaseAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres") + ";Pooling=false");
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand($"CREATE DATABASE \"{name.Replace("\"", "\"\"")}\"{AsFiles}", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Stops and starts again on the same data, socket and port.</summary>
    public async Task RestartAsync(ShutdownMode mode, CancellationToken cancellationToken)
    {
        await StopAsync(mode, cancellationToken);
        await StartAgainAsync(cancellationToken);
    }

    /// <summary>Stops the server; its data stays until this object is disposed of.</summary>
    public async Task StopAsync(ShutdownMode mode, CancellationToken cancellationToken)
    {
        await RunAsync(StopCommand(folder, 30, mode), cancellationToken);
        running = false;
    }

    /// <summary>Starts a server that <see cref="StopAsync"/> stopped.</summary>
    public async Task StartAgainAsync(CancellationToken cancellationToken)
    {
        if (!await TryLaunchAsync()) throw Failure("pg_ctl start", "the server did not start again");
        cancellationToken.ThrowIfCancellationRequested();
    }

    public async ValueTask DisposeAsync()
    {
        // Not cancellable: it is what a cancelled run comes to.
        if (running || folder.PostmasterId() is not null)
            await Command(StopCommand(folder, 10, options.Durable ? ShutdownMode.Fast : ShutdownMode.Immediate), CancellationToken.None);
        running = false;
        watchdog.Dispose();
        folder.Remove();
    }

    private async Task RemoveStaleAsync(CancellationToken cancellationToken)
    {
        foreach (var stale in ServerFolder.Stale())
        {
            if (stale.IsServed())
                await Command(StopCommand(stale, 10, ShutdownMode.Immediate), cancellationToken);
            if (!stale.IsServed()) stale.Remove();
        }
    }

    private async Task InitializeAsync(CancellationToken cancellationToken)
    {
        var byPassword = options.Tcp || OperatingSystem.IsWindows();
        var passwordFile = Path.Combine(folder.Run, "password");
        if (byPassword)
        {
            Password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            await File.WriteAllTextAsync(passwordFile, Password, cancellationToken);
        }
        if (user is not null)
        {
            await user.OwnAsync(folder.Data, cancellationToken);
            await user.OwnAsync(folder.Run, cancellationToken);
        }
        await RunAsync([
            binaries.Program("initdb"), "-D", folder.Data, "-U", Superuser, "-E", "UTF8", "--locale=C", "--no-sync",
            "--auth-local=trust",
            .. byPassword ? new[] { "--auth-host=scram-sha-256", $"--pwfile={passwordFile}" } : ["--auth-host=reject"],
        ], cancellationToken);
        if (byPassword) File.Delete(passwordFile);
    }

    private async Task LaunchAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (options.Tcp || OperatingSystem.IsWindows()) Port = FreePort();
            await WriteSettingsAsync(cancellationToken);
            // Not cut off half-way: a server that is just starting has no lock file to find it by.
            if (await TryLaunchAsync()) break;
            if (attempt == PortAttemptsMax || !LogTail().Contains("Address already in use", StringComparison.Ordinal))
                throw Failure("pg_ctl start", "the server did not start");
        }
        cancellationToken.ThrowIfCancellationRequested();
    }

    private async Task<bool> TryLaunchAsync()
    {
        var answer = await Command(
            [binaries.Program("pg_ctl"), "start", "-w", "-t", $"{StartSecondsMax}", "-D", folder.Data, "-l", folder.LogFile],
            CancellationToken.None);
        return running = answer is { ExitCode: 0 };
    }

    private async Task WriteSettingsAsync(CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>
        {
            ["listen_addresses"] = options.Tcp || OperatingSystem.IsWindows() ? "127.0.0.1" : "",
            ["port"] = $"{Port}",
            ["unix_socket_directories"] = OperatingSystem.IsWindows() ? "" : folder.Run,
            ["max_wal_senders"] = "0",
            ["timezone"] = "UTC",
            ["log_timezone"] = "UTC",
        };
        if (!options.Durable) (settings["fsync"], settings["full_page_writes"]) = ("off", "off");
        foreach (var (name, value) in options.Settings) settings[name] = value;
        var text = new StringBuilder();
        foreach (var (name, value) in settings) text.Append($"{name} = '{value.Replace("'", "''")}'\n");
        // Files in a folder of another user's: root may write them, and the server only reads them.
        await File.WriteAllTextAsync(Path.Combine(folder.Data, "postgresql.auto.conf"), text.ToString(), cancellationToken);
    }

    private string[] StopCommand(ServerFolder server, int secondsMax, ShutdownMode mode) =>
    [
        binaries.Program("pg_ctl"), "stop", "-w", "-t", $"{secondsMax}",
        "-m", mode == ShutdownMode.Immediate ? "immediate" : "fast", "-D", server.Data,
    ];

    private async Task RunAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var answer = await Command(command, cancellationToken);
        if (answer is not { ExitCode: 0 })
            throw Failure(
                Path.GetFileName(command[0]),
                answer is null ? "it could not be started" : $"exit code {answer.ExitCode}\n{answer.Output}");
    }

    private Task<ChildResult?> Command(IReadOnlyList<string> command, CancellationToken cancellationToken) =>
        ChildProgram.TryRunAsync(user?.Command(command) ?? command, folder.Root, cancellationToken);

    private LocalPostgresException Failure(string program, string what) =>
        new(
            $"{program} of {binaries.Directory} failed: {what}\n{LogTail()}".TrimEnd(),
            "Try another Postgres installation (it must be able to run initdb).");

    private string LogTail()
    {
        try
        {
            return string.Join('\n', File.ReadLines(folder.LogFile).TakeLast(15));
        }
        catch (IOException)
        {
            return "";
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>The private Postgres cannot be had or started; with what to do about it.</summary>
public sealed class LocalPostgresException(string problem, string remedy, Exception? inner = null) : Exception($"{problem} {remedy}", inner)
{
    public string Problem { get; } = problem;
    public string Remedy { get; } = remedy;
}
