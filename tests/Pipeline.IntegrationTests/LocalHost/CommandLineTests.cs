using System.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>The real program as a child process, as far as it goes without a server.</summary>
public sealed class CommandLineTests : IDisposable
{
    private const string Secret = "Zq7xWv9k";
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("run")]
    [InlineData("verify")]
    [InlineData("repair")]
    [InlineData("recapture")]
    [InlineData("status")]
    [InlineData("config")]
    public async Task every_verb_has_help_with_an_example(string verb)
    {
        var result = await RunAsync([.. verb.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Contains("Examples:", result.Output);
        Assert.Contains("Exit codes:", result.Output);
        if (verb is "run" or "verify" or "status")
            Assert.All(
                ["--print-config", "--set", "--rollnumber", "last_processed_timestamp_location"],
                word => Assert.Contains(word, result.Output));
    }

    [Fact]
    public async Task the_version_is_told()
    {
        var result = await RunAsync(["--version"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Matches(@"^\d+\.\d+\.\d+", result.Output);
    }

    [Theory]
    [InlineData("run --onse", "unknown option '--onse'; did you mean '--once'?")]
    [InlineData("verfy", "unknown verb or argument 'verfy'; did you mean 'verify'?")]
    [InlineData("run --sett postgres.password=" + Secret, "unknown option '--sett'; did you mean '--set'?")]
    [InlineData("run --password " + Secret, "unknown option '--password'")]
    [InlineData("run --only both", "Argument 'both' not recognized. Must be one of: 'postgres-to-kafka' 'kafka-to-lake'")]
    [InlineData("run --log-level loud", "--log-level is none of trace|debug|information|warning|error|critical|none")]
    [InlineData(
        "run --ui example:1", "--ui is 'example:1', which is no port and no address:port of this machine (8081, 0.0.0.0:8080, [::1]:8080)")]
    [InlineData("verify --since 2w", "--since is no number with a unit (30s, 15m, 2h, 7d)")]
    [InlineData("verify --since 2h --from 2026-11-30", "--since and --from both say where to begin: give one of them")]
    [InlineData("--seconds 0", "--seconds is 0, which is not in 1 to 86400")]
    public async Task a_bad_command_line_exits_with_2_and_one_line_each(string arguments, string expected)
    {
        var result = await RunAsync(arguments.Split(' '));
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.Equal([expected, "--help shows what can be asked for"], Lines(result.Error));
    }

    [Theory]
    [InlineData("run")]
    [InlineData("verify")]
    [InlineData("status")]
    public async Task a_bad_configuration_exits_with_2_and_one_line_a_fault(string verb)
    {
        File.WriteAllText(ConfigFile, "postgres:\n  password: " + Secret + "\n  port: x\n");
        var result = await RunAsync([verb, "--config", ConfigFile]);
        Assert.Equal((2, ""), (result.ExitCode, result.Output));
        Assert.All(Lines(result.Error), line => Assert.StartsWith(ConfigFile + ":", line));
        Assert.Contains(ConfigFile + ":3:9: postgres.port is 'x', which is no whole number; it must be 1 to 65535", Lines(result.Error));
        Assert.DoesNotContain(Secret, result.Error);
    }

    [Fact]
    public async Task print_config_shows_what_is_in_force_without_secrets_and_starts_nothing()
    {
        File.WriteAllText(ConfigFile, """
            postgres: 
              jdbc_url: jdbc:postgresql://127.0.0.1:1/d
              user: u
              table: <rollnumber>_orders
            kafka:
              brokers: 127.0.0.1:1
              topic: t
            datalake:
              path: lake
            streaming:
              checkpoint_location: checkpoints
              last_processed_timestamp_location: lastprocess

            """);
        var result = await RunAsync(
            ["run", "--config", ConfigFile, "--set", "postgres.port=2", "--print-config"],
            new() { ["Postgres__Password"] = Secret, ["ROLLNUMBER"] = "24BCS001" });
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.All(
            ["  port: 2", "  password: \"********\"", "  table: \"24BCS001_orders\"", "  jdbc_url: \"jdbc:postgresql://127.0.0.1:2/d\""],
            line => Assert.Contains(line, Lines(result.Output)));
        Assert.DoesNotContain(Secret, result.Output);
        Assert.DoesNotContain('\e', result.Output);
        Assert.Equal([ConfigFile], Directory.GetFileSystemEntries(folder.Path));
    }

    private string ConfigFile => folder.PathOf("test.yml");

    private static string[] Lines(string text) => text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(
        string[] arguments, Dictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "orders-stream.dll"), .. arguments])
        {
            WorkingDirectory = folder.Path,
        };
        start.Environment.Remove("ROLLNUMBER");
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        using var program = new RunningProgram(start);
        return await program.EndApartAsync();
    }
}
