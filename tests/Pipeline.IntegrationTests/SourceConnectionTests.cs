using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

public sealed class SourceConnectionTests(PostgresServer postgres)
{
    /// <summary>A timer of the kind 2 in the kernel's table of sockets: it asks the other side whether it is still there.</summary>
    private const string KeepaliveTimer = "02";

    /// <summary>A statement that waits for its answer has nothing on the way that the kernel could miss the receipt of.</summary>
    [Fact]
    public async Task a_network_that_goes_silent_under_a_statement_is_noticed()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads Linux's table of sockets");
        await using var server = await LocalPostgres.StartAsync(
            new LocalPostgresOptions { Tcp = true }, TestContext.Current.CancellationToken);
        var options = new PostgresOptions
        {
            Host = "127.0.0.1", Port = server.Port, Db = "postgres", User = LocalPostgres.Superuser, Password = server.Password,
            Table = "none",
        };

        await using var connection = await SourceConnection.OpenAsync(options, TestContext.Current.CancellationToken);

        Assert.Equal(KeepaliveTimer, TimerOfConnectionTo(server.Port));
    }

    [Theory, InlineData("{0}s", "Did you mean {0}? Check postgres.db"), InlineData("nothing_like_it", "Check postgres.db")]
    public async Task a_database_that_is_misspelt_is_named(string written, string check)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var options = new PostgresOptions
        {
            Host = database.Host, Port = database.Port, Db = string.Format(CultureInfo.InvariantCulture, written, database.Name),
            User = database.Superuser, Password = database.SuperuserPassword ?? "", Table = "none",
        };

        var refused = await Assert.ThrowsAsync<PipelineException>(
            () => SourceConnection.OpenAsync(options, TestContext.Current.CancellationToken));

        Assert.Equal(FailureAction.Stop, refused.Verdict.Action);
        Assert.Contains(options.Db, refused.Verdict.Problem, StringComparison.Ordinal);
        Assert.StartsWith(
            string.Format(CultureInfo.InvariantCulture, check, database.Name), refused.Verdict.Check, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Test_Pipeline ", "x", "postgres.user is 'Test_Pipeline ', in which capitals and blanks count")]
    [InlineData("test_pipeline", "$POSTGRES_PASSWORD", "Where postgres.password is to come from the environment, write ${NAME}.")]
    [InlineData("test_pipeline", "x", "Check postgres.user and postgres.password")]
    public async Task what_may_be_wrong_with_a_login_that_is_refused_is_told(string user, string password, string check)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        var options = new PostgresOptions
        {
            Host = database.Host, Port = database.Port, Db = database.Name, User = user, Password = password, Table = "none",
        };
        var refused = await Assert.ThrowsAnyAsync<Exception>(
            () => SourceConnection.OpenAsync(options, TestContext.Current.CancellationToken));
        var verdict = FailurePolicy.Judge(refused);
        Assert.Contains("refused the login", verdict.Problem, StringComparison.Ordinal);
        Assert.StartsWith(check, verdict.Check, StringComparison.Ordinal);
        Assert.EndsWith("pg_hba.conf on the server.", verdict.Check, StringComparison.Ordinal);
        Assert.DoesNotContain("POSTGRES_PASSWORD", verdict.ToString(), StringComparison.Ordinal);
    }

    private static string TimerOfConnectionTo(int port)
    {
        var remote = port.ToString("X4", CultureInfo.InvariantCulture);
        // Fields: number, local and remote address, state, queues, timer with the time left.
        var fields = File.ReadLines("/proc/net/tcp").Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return Assert.Single(fields, f => f[2].EndsWith($":{remote}", StringComparison.Ordinal) && f[3] == "01")[5].Split(':')[0];
    }
}
