using System.Globalization;
using System.Text.RegularExpressions;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>
/// What is published is compiled by another compiler where the machine can link, and trimmed: whatever finds a type or a member by its name
/// may be missing there. So the published program does once what the other tests try in many ways.
/// </summary>
public sealed partial class PublishedTests(PostgresServer postgres, KafkaServer kafka, PublishedProgram program)
    : IClassFixture<PublishedProgram>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task every_type_comes_out_of_the_lake_as_Postgres_prints_it_and_verify_and_status_agree()
    {
        await using var stream = await TypesTests.EveryTypeAsync(postgres, kafka);

        Succeeded(await program.RunAsync(stream.Options, "run", "--once"));
        await stream.LakeShouldEqualTableAsync();
        Succeeded(await program.RunAsync(stream.Options, "verify"));
        // Nobody runs it any more: nothing is wrong, and nothing is well.
        var (exitCode, document) = await program.RunAsync(stream.Options, "status", "--json");
        Assert.True(exitCode == 2, $"exit code {exitCode}\n{document}");
        Assert.Contains("\"state\": \"nobody\"", document, StringComparison.Ordinal);

        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp() WHERE id = 1");
        Succeeded(await program.RunAsync(stream.Options, "run", "--once"));
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task the_page_and_the_metrics_are_served_until_SIGTERM()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'item' FROM generate_series(1, 100) i");
        using var run = await program.StartAsync(stream.Options, "run", "--ui", "0");
        // A page may become visible in one partition after the other, and so be stored in more than one batch.
        var stored = 0;
        Uri? page = null;
        while (stored < 100)
        {
            var line = await run.ReadLineAsync();
            if (Address().Match(line) is { Success: true } address) page = new Uri(address.Value);
            if (Stored().Match(line) is { Success: true } batch)
                stored += int.Parse(batch.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        }

        Assert.NotNull(page);
        using var client = new HttpClient { BaseAddress = page };
        Assert.Contains("<html", await client.GetStringAsync("", Cancellation), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\"version\"", await client.GetStringAsync("api/status", Cancellation), StringComparison.Ordinal);
        Assert.Matches(@"messaging_client_consumed_messages_total\{[^}]*\} 100\s", await client.GetStringAsync("metrics", Cancellation));

        await run.SignalAsync("TERM");
        Succeeded(await run.EndAsync());
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task the_demonstration_plays_to_its_end()
    {
        using var demonstration = program.Start(["--seconds", "2", "--rate", "50", "--no-ui"]);
        var end = await demonstration.EndAsync();
        Succeeded(end);
        Assert.Contains("missing 0, different 0, too many 0, stored twice 0   equal", end.Output, StringComparison.Ordinal);
    }

    /// <summary>The vendor's package is trimmed, too: a token that is given, and one that is refused, with what says why.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task tokens_are_asked_for(bool refused)
    {
        using var folder = new TestFolder();
        using var issuer = new TokenIssuer { Refuses = refused };
        // A client of the brokers asks before it connects anywhere.
        using var run = program.Start(
            [
                "run", "--only", "kafka-to-lake", "--rollnumber", "ab1", "--set", "kafka.auth=entra",
                "--set", "kafka.security_protocol=sasl_ssl", "--set", "kafka.brokers=localhost:1",
            ],
            configure: start =>
            {
                issuer.GiveTo(start, "the-client");
                start.Environment["DATALAKE"] = folder.Path;
            });
        await Waiting.UntilAsync(() => issuer.Issued.Count > 0, null, () => "no token is asked for");
        Assert.Equal(("https://localhost", "the-client"), (issuer.Issued.First().Resource, issuer.Issued.First().ClientId));
        await run.UntilSaidAsync(refused
            ? "Entra ID gave no token for https://localhost/.default (AuthenticationFailedException"
            : "nothing answers at localhost:1");
    }

    [Fact]
    public async Task all_faults_of_a_configuration_are_named_at_once()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);

        var (exitCode, output) = await program.RunAsync(
            stream.Options, "run", "--set", "postgres.port=x", "--set", "kafka.compression=zip");

        Assert.Equal(2, exitCode);
        Assert.Contains("postgres.port is 'x', which is no whole number; it must be 1 to 65535", output, StringComparison.Ordinal);
        Assert.Contains("kafka.compression is 'zip'", output, StringComparison.Ordinal);
    }

    [Fact]
    public void what_is_published_is_what_runs_and_nothing_else()
    {
        var files = Directory.EnumerateFiles(program.Folder, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(program.Folder, f)).ToHashSet();
        Assert.Subset(files, new HashSet<string> { "orders-stream", "configs/orders_stream.yml", "db/orders.sql" });
        Assert.DoesNotContain(files, f => Path.GetExtension(f) is ".pdb" or ".xml" or ".dbg" or ".dll");
        Assert.All(files.Where(f => f.Contains("rdkafka")), f => Assert.DoesNotContain("alpine", f));
        Assert.Contains(files, f => f.EndsWith("rdkafka.so", StringComparison.Ordinal));
    }

    /// <summary>The working folder has none.</summary>
    [Fact]
    public async Task without_a_file_the_configuration_beside_the_program_is_taken()
    {
        using var run = program.Start(["run", "--rollnumber", "ab1", "--print-config"]);
        var end = await run.EndAsync();
        Succeeded(end);
        Assert.Contains("table: \"ab1_orders\"", end.Output, StringComparison.Ordinal);
    }

    private static void Succeeded(ChildResult result) => Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Output}");

    [GeneratedRegex(@"KafkaToLake: ([0-9]+) rows")]
    private static partial Regex Stored();

    [GeneratedRegex(@"http://\S+")]
    private static partial Regex Address();
}
