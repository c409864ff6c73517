using Npgsql;
using OrdersStream.Demo.Servers;
using OrdersStream.IntegrationTests.LocalHost;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.IntegrationTests.Demo;

public sealed class LocalPostgresTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_server_starts_answers_and_leaves_nothing_behind()
    {
        string folder;
        await using (var server = await LocalPostgres.StartAsync(new LocalPostgresOptions { Database = "food_delivery_db" }, Token))
        {
            folder = Path.GetDirectoryName(server.LogFile)!;
            Assert.Equal("food_delivery_db", await ScalarAsync(server.ConnectionString(), "SELECT current_database()"));
            Assert.Equal("", await ScalarAsync(server.ConnectionString(), "SHOW listen_addresses"));
        }
        Assert.False(Directory.Exists(Path.GetDirectoryName(folder)));
    }

    [Fact]
    public async Task settings_given_win()
    {
        await using var server = await LocalPostgres.StartAsync(
            new LocalPostgresOptions
            {
                Settings = new Dictionary<string, string> { ["max_prepared_transactions"] = "7", ["fsync"] = "on" },
            },
            Token);
        Assert.Equal("7", await ScalarAsync(server.ConnectionString(), "SHOW max_prepared_transactions"));
        Assert.Equal("on", await ScalarAsync(server.ConnectionString(), "SHOW fsync"));
    }

    [Theory]
    [InlineData(ShutdownMode.Fast)]
    [InlineData(ShutdownMode.Immediate)]
    public async Task committed_rows_outlive_a_restart(ShutdownMode mode)
    {
        await using var server = await LocalPostgres.StartAsync(new LocalPostgresOptions(), Token);
        await ScalarAsync(server.ConnectionString(), "CREATE TABLE t AS SELECT 42 AS n");
        await server.RestartAsync(mode, Token);
        Assert.Equal(42, await ScalarAsync(server.ConnectionString(), "SELECT n FROM t"));
    }

    [Fact]
    public async Task tcp_asks_for_the_password()
    {
        await using var server = await LocalPostgres.StartAsync(new LocalPostgresOptions { Tcp = true }, Token);
        Assert.NotNull(server.Password);
        Assert.Equal(1, await ScalarAsync(server.ConnectionStringOf(LocalPostgres.Superuser, server.Password, tcp: true), "SELECT 1"));
        var refused = await Assert.ThrowsAsync<PostgresException>(
            () => ScalarAsync(server.ConnectionStringOf(LocalPostgres.Superuser, "wrong", tcp: true), "SELECT 1"));
        Assert.Equal("28P01", refused.SqlState);
    }

    [Fact]
    public async Task a_folder_without_programs_is_refused_by_name()
    {
        var refused = await Assert.ThrowsAsync<LocalPostgresException>(
            () => LocalPostgres.StartAsync(new LocalPostgresOptions { BinDirectory = "/nowhere/bin" }, Token));
        Assert.Contains("/nowhere/bin", refused.Problem);
    }

    [Fact]
    public async Task a_setting_that_the_server_refuses_is_shown_from_its_log()
    {
        var refused = await Assert.ThrowsAsync<LocalPostgresException>(() => LocalPostgres.StartAsync(
            new LocalPostgresOptions { Settings = new Dictionary<string, string> { ["no_such_setting"] = "1" } }, Token));
        Assert.Contains("no_such_setting", refused.Problem);
    }

    [Fact]
    public async Task a_cancelled_start_leaves_nothing_behind()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "its programs are scripts of a Unix shell");
        using var programs = new HangingPrograms();
        using var cancelled = new CancellationTokenSource();
        var starting = LocalPostgres.StartAsync(new LocalPostgresOptions { BinDirectory = programs.Directory }, cancelled.Token);
        var (process, data) = await programs.UntilInitdbHangsAsync(starting);

        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        Assert.False(Directory.Exists(Path.GetDirectoryName(data)), data);
        await Waiting.UntilAsync(
            () => !Processes.IsAlive(process), running: null, () => $"initdb, process {process}, outlives the start that was cancelled");
    }

    [Fact]
    public async Task what_a_dead_run_left_is_removed_by_the_next_start()
    {
        await using var orphan = await LocalPostgres.StartAsync(new LocalPostgresOptions(), Token);
        var folder = Path.GetDirectoryName(Path.GetDirectoryName(orphan.LogFile))!;
        // As if its owner had been killed together with the watchdog: no process has so great an id.
        await File.WriteAllTextAsync(Path.Combine(folder, "owner.json"), $$"""{"ProcessId":{{int.MaxValue}},"ProcessStart":0}""", Token);
        await using var next = await LocalPostgres.StartAsync(new LocalPostgresOptions(), Token);
        Assert.False(Directory.Exists(folder));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ScalarAsync(orphan.ConnectionString(), "SELECT 1"));
        Assert.Equal(1, await ScalarAsync(next.ConnectionString(), "SELECT 1"));
    }

    [Fact]
    public void of_several_runs_that_remove_one_folder_each_finds_it_gone()
    {
        for (var round = 1; round <= 20; round++)
        {
            var folder = ServerFolder.Create();
            for (var i = 0; i < 50; i++)
                File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(folder.Data, $"{i}", "x")).FullName, "y"), "z");
            Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
            {
                folder.Remove();
                Assert.False(Directory.Exists(folder.Root));
            });
            Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(folder.Root)!, Path.GetFileName(folder.Root) + "*"));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{\"ProcessId\":")]
    [InlineData("{\"ProcessId\":-1,\"ProcessStart\":0}")]
    public async Task a_folder_without_our_mark_is_never_touched(string? mark)
    {
        var folder = Directory.CreateTempSubdirectory("orders-stream-pg-");
        try
        {
            if (mark is not null) await File.WriteAllTextAsync(Path.Combine(folder.FullName, "owner.json"), mark, Token);
            Assert.DoesNotContain(ServerFolder.Stale(), f => f.Root == folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)", 15)]
    [InlineData("postgres (PostgreSQL) 9.6.24", 9)]
    [InlineData("postgres (PostgreSQL) 18beta2", 18)]
    [InlineData("postgres (EDB) x", null)]
    public void the_major_version_is_read_from_the_programs_own_line(string line, int? major) =>
        Assert.Equal(major, PostgresBinaries.MajorOf(line));

    [Fact]
    public void the_user_for_root_is_postgres_else_nobody()
    {
        string[] lines = ["root:x:0:0::/root:/bin/sh", "nobody:*:-2:-2::/:/usr/bin/false", "# comment", "broken"];
        Assert.Equal(("nobody", -2, -2), UnprivilegedUser.FromPasswd(lines) is { } n ? (n.Name, n.UserId, n.GroupId) : default);
        Assert.Equal("postgres", UnprivilegedUser.FromPasswd([.. lines, "postgres:x:101:103::/var/lib/postgresql:/bin/bash"])?.Name);
        Assert.Null(UnprivilegedUser.FromPasswd(["root:x:0:0::/root:/bin/sh"]));
    }

    private static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Token);
    }
}
