using Npgsql;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// A copy of a server, made by pg_basebackup, that can take its place: a streaming replica that is promoted, or a backup that is restored.
/// Same address, next timeline.
/// </summary>
internal sealed class ServerCopy : IAsyncDisposable
{
    private static readonly int PatienceSeconds = (int)Waiting.Patience.TotalSeconds;

    private readonly ServerFolder folder = ServerFolder.Create();
    private readonly PostgresBinaries binaries;
    private readonly UnprivilegedUser? user;
    private readonly PostgresServer primary;

    private ServerCopy(PostgresBinaries binaries, UnprivilegedUser? user, PostgresServer primary) =>
        (this.binaries, this.user, this.primary) = (binaries, user, primary);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A streaming replica, which follows at once.</summary>
    public static Task<ServerCopy> FollowAsync(PostgresServer primary) =>
        CopyAsync(primary, async copy => await copy.StartAsync(copy.folder.Run), "-R");

    /// <summary>A backup, which nothing changes any more.</summary>
    public static Task<ServerCopy> BackUpAsync(PostgresServer primary) => CopyAsync(primary, _ => Task.CompletedTask);

    private static async Task<ServerCopy> CopyAsync(PostgresServer primary, Func<ServerCopy, Task> use, params string[] options)
    {
        var binaries = await PostgresBinaries.FindAsync(Cancellation)
            ?? throw new InvalidOperationException("no Postgres programs, though the primary runs");
        var copy = new ServerCopy(binaries, await UnprivilegedUser.ForRootAsync(Cancellation), primary);
        try
        {
            if (copy.user is not null) await copy.user.OwnAsync(copy.folder.Data, Cancellation);
            if (copy.user is not null) await copy.user.OwnAsync(copy.folder.Run, Cancellation);
            var (folder, port) = primary.Socket;
            await copy.RunAsync(
                "pg_basebackup",
                [
                    "-h", folder, "-p", $"{port}", "-U", LocalPostgres.Superuser, "-D", copy.folder.Data, "-X", "stream", "-c", "fast",
                    .. options]);
            await use(copy);
            return copy;
        }
        catch
        {
            await copy.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns when it has all that the primary has written.</summary>
    public async Task CatchUpAsync(TestDatabase onPrimary)
    {
        var written = await onPrimary.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text");
        await UntilAsync($"pg_last_wal_replay_lsn() >= '{written}'::pg_lsn", folder.Run);
    }

    /// <summary>The primary is gone: listens where it listened, and is promoted.</summary>
    public async Task TakePlaceAsync()
    {
        await RunAsync("pg_ctl", "stop", "-w", "-t", $"{PatienceSeconds}", "-m", "fast", "-D", folder.Data);
        await StartAsync(primary.Socket.Folder);
        await RunAsync("pg_ctl", "promote", "-w", "-t", $"{PatienceSeconds}", "-D", folder.Data);
    }

    /// <summary>The primary is gone: recovers from its log up to a restore point, and goes on from there where it listened.</summary>
    /// <param name="primaryData">The primary's data folder, of which only the log is read.</param>
    /// <param name="restorePoint">Name that pg_create_restore_point gave it.</param>
    public async Task RestoreAsync(string primaryData, string restorePoint)
    {
        await File.AppendAllTextAsync(
            Path.Combine(folder.Data, "postgresql.auto.conf"),
            $"restore_command = 'cp \"{primaryData}/pg_wal/%f\" \"%p\"'\nrecovery_target_name = '{restorePoint}'\nrecovery_target_action = "
            + "'promote'\n", Cancellation);
        await File.WriteAllTextAsync(Path.Combine(folder.Data, "recovery.signal"), "", Cancellation);
        await StartAsync(primary.Socket.Folder);
        await UntilAsync("NOT pg_is_in_recovery()", primary.Socket.Folder);
    }

    /// <summary>It is in the primary's place, and is started anew.</summary>
    public Task RestartAsync() =>
        RunAsync("pg_ctl", "restart", "-w", "-t", $"{PatienceSeconds}", "-m", "fast", "-D", folder.Data, "-l", folder.LogFile);

    public async ValueTask DisposeAsync()
    {
        if (folder.PostmasterId() is not null) await TryAsync("pg_ctl", "stop", "-w", "-m", "immediate", "-D", folder.Data);
        folder.Remove();
    }

    private async Task UntilAsync(string condition, string socketFolder)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder
            {
                Host = socketFolder, Port = primary.Socket.Port, Username = LocalPostgres.Superuser, Database = "postgres",
                Pooling = false, Timeout = PatienceSeconds, CommandTimeout = PatienceSeconds,
            }.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var holds = new NpgsqlCommand($"SELECT {condition}", connection);
        await Waiting.UntilAsync(async () => (bool)(await holds.ExecuteScalarAsync(Cancellation))!, null, () => $"not so: {condition}");
    }

    private async Task StartAsync(string socketFolder)
    {
        await File.AppendAllTextAsync(
            Path.Combine(folder.Data, "postgresql.auto.conf"), $"unix_socket_directories = '{socketFolder}'\n", Cancellation);
        await RunAsync("pg_ctl", "start", "-w", "-t", $"{PatienceSeconds}", "-D", folder.Data, "-l", folder.LogFile);
    }

    private async Task RunAsync(string program, params string[] arguments)
    {
        var answer = await TryAsync(program, arguments);
        if (answer is not { ExitCode: 0 }) throw new InvalidOperationException($"{program} {arguments[0]} failed: {answer?.Output}");
    }

    private Task<ChildResult?> TryAsync(string program, params string[] arguments)
    {
        string[] command = [Path.Combine(Path.GetDirectoryName(Target(binaries.Program("pg_ctl")))!, program), .. arguments];
        return ChildProgram.TryRunAsync(user?.Command(command) ?? command, folder.Root, CancellationToken.None);
    }

    // Not all programs need be linked into the folder where pg_ctl was found: where it really lies, all are.
    private static string Target(string program) => new FileInfo(program).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program;
}
