using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Security;

/// <summary>
/// Both servers by tokens: the program asks the issuer that its environment names. The password of its role is a token of that issuer's
/// and nothing else; the broker takes a token for as long as it says, and ends a connection with it.
/// </summary>
public sealed class TokenLoginTests(GuardedServers servers) : IClassFixture<GuardedServers>
{
    /// <summary>What the package is made of.</summary>
    private const string ThePackage = "Azure.Core";
    private const string ClientId = "11111111-2222-3333-4444-555555555555";
    private const string Broker = "https://localhost", Database = "https://ossrdbms-aad.database.windows.net";

    [Fact]
    public async Task rows_pass_by_tokens_alone_each_of_which_is_asked_for_once()
    {
        await using var stream = await CreateStreamAsync();
        using var issuer = await NewIssuerAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'row ' || i FROM generate_series(1, 500) i");
        using var run = Start(stream, issuer, "run", "--once");

        var (exitCode, output) = await run.EndAsync();

        Assert.True(exitCode == 0, output);
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal([Database, Broker], issuer.Issued.Select(i => i.Resource).Distinct().OrderDescending());
        Assert.Single(issuer.Issued, i => i.Resource == Database);
        Assert.All(issuer.Issued, i => Assert.Equal(ClientId, i.ClientId));
        AssertIsQuiet(issuer, output);
    }

    [Fact]
    public async Task a_running_program_goes_on_by_the_next_token_when_one_has_ended()
    {
        await using var stream = await CreateStreamAsync();
        using var issuer = await NewIssuerAsync();
        issuer.Lifetime = TimeSpan.FromSeconds(15);
        using var run = Start(stream, issuer, "run");
        await InsertAsync(stream, 1);
        await UntilStoredAsync(stream, run, 1);

        await servers.GiveRoleAsync(issuer.Prepare(Database));
        await stream.EndPollersSessionsAsync();
        var brokers = issuer.Issued.Count(i => i.Resource == Broker);
        await InsertAsync(stream, 2);
        await UntilStoredAsync(stream, run, 2);
        Assert.Equal(2, issuer.Issued.Where(i => i.Resource == Database).Select(i => i.Token).Distinct().Count());

        // A client that lives asks again before the end: when it has twice, the first of its tokens has ended.
        await Waiting.UntilAsync(
            () => run.HasExited || issuer.Issued.Count(i => i.Resource == Broker) >= 3 * brokers, null,
            () => "the clients ask for no more");
        await InsertAsync(stream, 3);
        await UntilStoredAsync(stream, run, 3);

        await run.SignalAsync("TERM");
        var (exitCode, output) = await run.EndAsync();
        Assert.True(exitCode == 0, output);
        await stream.LakeShouldEqualTableAsync();
        AssertIsQuiet(issuer, output);
    }

    [Fact]
    public async Task an_issuer_that_refuses_is_named_by_both_halves_which_go_on_when_it_gives_tokens_again()
    {
        await using var stream = await CreateStreamAsync();
        using var issuer = await NewIssuerAsync();
        issuer.Refuses = true;
        await InsertAsync(stream, 1);
        using var run = Start(stream, issuer, "run");
        var said = await UntilBothSayAsync(
            run, $"Entra ID gave no token for {Database}/.default", $"Entra ID gave no token for {Broker}/.default");
        Assert.Contains("status 400", said, StringComparison.Ordinal);
        Assert.Contains("AADSTS700016", said, StringComparison.Ordinal);

        issuer.Refuses = false;
        await UntilStoredAsync(stream, run, 1);
        await run.SignalAsync("TERM");
        var (exitCode, output) = await run.EndAsync();
        Assert.True(exitCode == 0, output);
        AssertIsQuiet(issuer, said + output);
    }

    [Fact]
    public async Task a_token_that_a_server_refuses_is_told_as_such_and_the_next_is_tried()
    {
        await using var stream = await CreateStreamAsync();
        using var issuer = await NewIssuerAsync();
        await servers.GiveRoleAsync("another-word");
        // Each client asks anew.
        issuer.Lifetime = TimeSpan.FromMinutes(4);
        issuer.IsOutdated = true;
        await InsertAsync(stream, 1);
        using var run = Start(stream, issuer, "run");
        var said = await UntilBothSayAsync(
            run, "Postgres refused the login by a token of Entra ID (28P01", "Kafka refused the login by a token of Entra ID (");

        issuer.IsOutdated = false;
        await servers.GiveRoleAsync(issuer.Prepare(Database));
        await UntilStoredAsync(stream, run, 1);
        await run.SignalAsync("TERM");
        var (exitCode, output) = await run.EndAsync();
        Assert.True(exitCode == 0, output);
        AssertIsQuiet(issuer, said + output);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task nothing_of_the_package_is_loaded_but_for_tokens(bool byTokens)
    {
        await using var stream = byTokens ? await CreateStreamAsync() : await servers.CreateStreamAsync();
        using var issuer = await NewIssuerAsync();
        if (!byTokens) await servers.GiveRoleAsync(GuardedServers.PostgresPassword);
        await InsertAsync(stream, 1);
        using var run = Start(stream, issuer, "run", "--once");

        var (exitCode, output) = await run.EndAsync();

        Assert.True(exitCode == 0, output);
        Assert.True(output.Contains(ThePackage, StringComparison.Ordinal) == byTokens, output);
        Assert.Equal(byTokens, issuer.Issued.Count > 0);
    }

    private Task<TestStream> CreateStreamAsync() => servers.CreateStreamAsync(o => o with
    {
        Postgres = o.Postgres with { Auth = "entra", Password = null },
        Kafka = o.Kafka with { Auth = "entra", SaslMechanism = null, SaslUsername = null, SaslPassword = null },
    });

    /// <summary>Whose token for Postgres is the role's password.</summary>
    private async Task<TokenIssuer> NewIssuerAsync()
    {
        var issuer = new TokenIssuer();
        await servers.GiveRoleAsync(issuer.Prepare(Database));
        return issuer;
    }

    private static RunningProgram Start(TestStream stream, TokenIssuer issuer, params string[] command) =>
        LocalHostProcess.Start(stream.Options, command, configure: start =>
        {
            issuer.GiveTo(start, ClientId);
            LocalHostProcess.TellingWhatIsLoaded(start);
            start.Environment["Kafka__SaslPassword"] = stream.Options.Kafka.SaslPassword;
        });

    private static Task InsertAsync(TestStream stream, int id) => stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");

    private static async Task UntilStoredAsync(TestStream stream, RunningProgram run, int rows)
    {
        await Waiting.UntilAsync(() => run.HasExited || stream.Lake.Count() >= rows, null, () => $"the lake has not {rows} rows");
        Assert.False(run.HasExited, "the program has ended");
    }

    private static async Task<string> UntilBothSayAsync(RunningProgram run, string first, string second)
    {
        var said = "";
        while (!said.Contains(first, StringComparison.Ordinal) || !said.Contains(second, StringComparison.Ordinal))
            said += await run.ReadLineAsync() + "\n";
        return said;
    }

    private static void AssertIsQuiet(TokenIssuer issuer, string output)
    {
        foreach (var secret in issuer.Secrets) Assert.DoesNotContain(secret, output, StringComparison.Ordinal);
    }
}
