using Npgsql;
using OrdersStream.LocalHost.Embedded;
using Xunit;

namespace OrdersStream.IntegrationTests.LocalHost;

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
            new LocalPostgresOptions { Settings = new Dictionary<string, string> { ["max_prepared_transactions"] = "7", ["fsync"] = "on" } }, Token);
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
        using var cancelled = new CancellationTokenSource();
        cancelled.CancelAfter(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LocalPostgres.StartAsync(new LocalPostgresOptions(), cancelled.Token));
    }

    private static async Task<object?> ScalarAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync(Token);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Token);
    }
}
