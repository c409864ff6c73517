using Npgsql;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary><c>run --once</c> where committed rows are held back: it does not say that all is done.</summary>
public sealed class HeldBackOnceTests(KafkaServer kafka)
{
    [Fact]
    public async Task it_names_what_it_waits_for_and_ends_with_an_exit_code_of_its_own()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await using var open = await HoldBackAsync(stream);

        using (var run = LocalHostProcess.Start(stream.Options, ["run", "--once"], configure: LocalHostProcess.WithoutPatience))
        {
            var ended = await run.EndAsync();
            Assert.Equal(ExitCode.NotAllDone, ended.ExitCode);
            Assert.Contains($"the open transaction of session {open.ProcessID} (forgotten)", ended.Output);
            Assert.DoesNotContain("all that was there is done", ended.Output);
        }
        // What is not held back is in the lake, and the exit code of status tells of the rest.
        Assert.Equal(1, stream.Lake.Count());
        using (var status = LocalHostProcess.Start(stream.Options, ["status"]))
        {
            var ended = await status.EndAsync();
            Assert.Equal(1, ended.ExitCode);
            Assert.Contains("HELD BACK", ended.Output);
        }

        await open.ExecuteAsync("COMMIT");
        Assert.Equal(0, await LocalHostProcess.OnceAsync(stream.Options));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task it_ends_well_when_the_transaction_ends_while_it_waits()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CreateAsync(server);
        await using var open = await HoldBackAsync(stream);

        using var run = LocalHostProcess.Start(stream.Options, ["run", "--once"]);
        await run.UntilSaidAsync("held back");
        await open.ExecuteAsync("COMMIT");

        Assert.Equal(0, (await run.EndAsync()).ExitCode);
        await stream.LakeShouldEqualTableAsync();
    }

    private Task<TestStream> CreateAsync(PostgresServer server) => TestStream.CreateAsync(
        server, kafka, configure: o => o with { Postgres = o.Postgres with { SeenTransactions = 3 } });

    /// <summary>One row is captured; behind an open transaction more are committed than are remembered.</summary>
    private static async Task<NpgsqlConnection> HoldBackAsync(TestStream stream)
    {
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.DrainAsync();
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        var open = await stream.Database.OpenSessionAsync();
        await open.ExecuteAsync("SET application_name = 'forgotten'; BEGIN; INSERT INTO items (id) VALUES (1000)");
        for (var id = 2; id <= 11; id++) await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        return open;
    }
}
