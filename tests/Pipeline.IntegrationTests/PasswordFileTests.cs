using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Another password needs no restart.</summary>
public sealed class PasswordFileTests(KafkaServer kafka)
{
    private const string Rotated = "rotated-word";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_running_poller_goes_on_when_its_roles_password_was_changed_and_the_file_a_while_later()
    {
        await using var postgres = await PostgresServer.StartOwnOverTcpAsync();
        using var folder = new TestFolder();
        var file = Path.Combine(folder.Path, "password");
        await File.WriteAllTextAsync(file, PostgresServer.RolePassword + "\n", Token);
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, TestStream.Items + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole};",
            configure: o => o with
            {
                Postgres = o.Postgres with
                {
                    Host = "127.0.0.1", Port = postgres.Port, User = PostgresServer.PipelineRole, Password = null, PasswordFile = file,
                },
            });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'before' FROM generate_series(1, 10) i");
        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await stream.UntilStoredAsync(10, running);

        await stream.ExecuteAsync($"ALTER ROLE {PostgresServer.PipelineRole} PASSWORD '{Rotated}'");
        await stream.EndPollersSessionsAsync();
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'behind' FROM generate_series(11, 20) i");
        await stream.UntilAsync(
            () => stream.Log.Warnings.Any(w => w.Contains($"refused the login with what '{file}' holds", StringComparison.Ordinal)),
            running, () => "nothing says that the password is refused");
        await File.WriteAllTextAsync(file, Rotated + "\n", Token);
        await stream.UntilStoredAsync(20, running);
        await stop.CancelAsync();
        await running;

        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(Rotated, stream.Log.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(PostgresServer.RolePassword, stream.Log.ToString(), StringComparison.Ordinal);
    }
}
