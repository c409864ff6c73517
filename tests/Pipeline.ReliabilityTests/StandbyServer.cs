using Npgsql;
using OrdersStream.IntegrationTests.Servers;
using OrdersStream.LocalHost.Embedded;

namespace OrdersStream.ReliabilityTests;

/// <summary>A streaming replica, made by pg_basebackup, that can take its primary's place: same address, next timeline.</summary>
internal sealed class StandbyServer : IAsyncDisposable
{
    private readonly ServerFolder folder = ServerFolder.Create();
    private readonly PostgresBinaries binaries;
    private readonly UnprivilegedUser? user;
    private readonly PostgresServer primary;

    private StandbyServer(PostgresBinaries binaries, UnprivilegedUser? user, PostgresServer primary) =>
        (this.binaries, this.user, this.primary) = (binaries, user, primary);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<StandbyServer> FollowAsync(PostgresServer primary)
    {
        var binaries = await PostgresBinaries.FindAsync(Cancellation) ?? throw new InvalidOperationException("no Postgres programs, though the primary runs");
        var standby = new StandbyServer(binaries, await UnprivilegedUser.ForRootAsync(Cancellation), primary);
        try
        {
            if (standby.user is not null) await standby.user.OwnAsync(standby.folder.Data, Cancellation);
            if (standby.user is not null) await standby.user.OwnAsync(standby.folder.Run, Cancellation);
            var (folder, port) = primary.Socket;
            await standby.RunAsync("pg_basebackup", "-h", folder, "-p", $"{port}", "-U", LocalPostgres.Superuser, "-D", standby.folder.Data, "-X", "stream", "-c", "fast", "-R");
            await standby.StartAsync(standby.folder.Run);
            return standby;
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns when it has all that the primary has written.</summary>
    public async Task CatchUpAsync(TestDatabase onPrimary)
    {
        var written = await onPrimary.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text");
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder { Host = folder.Run, Port = primary.Socket.Port, Username = LocalPostgres.Superuser, Database = "postgres", Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var behind = new NpgsqlCommand($"SELECT pg_last_wal_replay_lsn() < '{written}'::pg_lsn", connection);
        for (var begun = TimeProvider.System.GetTimestamp(); (bool)(await behind.ExecuteScalarAsync(Cancellation))!; await Task.Delay(20, Cancellation))
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromSeconds(60), "the standby did not catch up within 60 s");
    }

    /// <summary>The primary is gone: listens where it listened, and is promoted.</summary>
    public async Task TakePlaceAsync()
    {
        await RunAsync("pg_ctl", "stop", "-w", "-m", "fast", "-D", folder.Data);
        await StartAsync(primary.Socket.Folder);
        await RunAsync("pg_ctl", "promote", "-w", "-D", folder.Data);
    }

    public async ValueTask DisposeAsync()
    {
        if (folder.PostmasterId() is not null) await TryAsync("pg_ctl", "stop", "-w", "-m", "immediate", "-D", folder.Data);
        folder.Remove();
    }

    private async Task StartAsync(string socketFolder)
    {
        await File.AppendAllTextAsync(Path.Combine(folder.Data, "postgresql.auto.conf"), $"unix_socket_directories = '{socketFolder}'\n", Cancellation);
        await RunAsync("pg_ctl", "start", "-w", "-D", folder.Data, "-l", folder.LogFile);
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
