using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The unit of systemd, held against the program that it starts: its verbs, its settings, and how it ends.</summary>
public sealed class ServiceUnitTests
{
    private static readonly ILookup<string, string> Unit = ComposeFile.RepositoryFile("deploy", "orders-stream.service").Split('\n')
        .Where(line => line.Contains('=') && !line.StartsWith('#')).Select(line => line.Split('=', 2)).ToLookup(p => p[0], p => p[1]);

    /// <summary>Each line of the example, and those that are commented out, too.</summary>
    private static readonly Dictionary<string, string> Environment = ComposeFile.RepositoryFile("deploy", "environment.example").Split('\n')
        .Where(line => line.Contains('=')).Select(line => line.TrimStart('#', ' ').Split('=', 2))
        .Where(p => !p[0].Contains(' ')).ToDictionary(p => p[0], p => p[1]);

    [Theory, InlineData("ExecStartPre", "config"), InlineData("ExecStart", "run")]
    public void what_it_starts_the_program_knows(string key, string verb)
    {
        var words = One(key).Split(' ');
        var parsed = Commands.Root().Parse(words[1..]);
        Assert.Empty(parsed.Errors);
        Assert.Equal(verb, parsed.CommandResult.Command.Name);
        Assert.Equal("orders-stream", Path.GetFileName(words[0]));
    }

    [Fact]
    public void with_the_example_of_its_environment_the_shipped_configuration_can_be_used()
    {
        var options = Manifests.Load(Environment);
        Assert.Equal(("ab12_orders", "verify-full"), (options.Postgres.Table, options.Postgres.Sslmode));
        Assert.All(Environment.Keys, name => Assert.True(Manifests.IsTaken(name, Environment), $"nobody takes {name}"));
        string[] written =
            [options.Datalake.Path, options.Streaming.CheckpointLocation, options.Streaming.LastProcessedTimestampLocation];
        foreach (var path in written)
            Assert.All([One("ReadWritePaths"), One("RequiresMountsFor")], folder => Assert.StartsWith(folder + "/", path));
    }

    /// <summary>systemd makes it below /var/lib, for the user of the unit.</summary>
    [Fact]
    public void the_lakes_folder_is_made_for_its_user()
    {
        Assert.Equal(One("ReadWritePaths"), "/var/lib/" + One("StateDirectory"));
        Assert.Equal(One("ReadWritePaths"), One("WorkingDirectory"));
        Assert.Equal(One("User"), One("Group"));
    }

    /// <summary>As docs/deployment.md has them.</summary>
    [Fact]
    public void the_documents_commands_make_what_it_expects()
    {
        var section = ComposeFile.RepositoryFile("docs", "deployment.md").Split("## As a service")[1];
        var commands = section.Split("```")[1].Split(["\n", " && "], StringSplitOptions.None).Select(c => c.Split(" #")[0].Trim()).ToList();
        var configuration = One("ExecStart").Split(' ')[3];
        Assert.Contains($"dotnet publish LocalHost -c Release -o {Path.GetDirectoryName(Program)}", commands);
        Assert.Contains($"useradd --system --home-dir {One("WorkingDirectory")} {One("User")}", commands);
        Assert.Contains($"install -m 644 configs/{Path.GetFileName(configuration)} {Path.GetDirectoryName(configuration)}/", commands);
        Assert.Contains($"install -m 600 deploy/environment.example {One("EnvironmentFile")}", commands);
        Assert.Contains("systemctl enable --now orders-stream", commands);
        // A verb by hand is the unit's user in the unit's folder, with the unit's environment and configuration.
        var verb = section[section.IndexOf("systemd-run ", StringComparison.Ordinal)..section.IndexOf("\n}", StringComparison.Ordinal)];
        string[] same = ["User", "StateDirectory", "WorkingDirectory", "EnvironmentFile"];
        Assert.All(same, key => Assert.Contains($" -p {key}={One(key)} ", verb));
        Assert.EndsWith($" {Program} \"$@\" --config {configuration}", verb);
        Assert.Equal("multi-user.target", One("WantedBy"));
        // The same configuration is looked at before it is run.
        Assert.EndsWith(" " + configuration, One("ExecStartPre"));
    }

    /// <summary>An option that systemd does not know is passed over there, with a line in the journal.</summary>
    [Fact]
    public async Task systemd_knows_each_of_its_lines()
    {
        using var folder = new TempFolder();
        var text = ComposeFile.RepositoryFile("deploy", "orders-stream.service");
        // It looks for the program, which is not there.
        await File.WriteAllTextAsync(
            folder["orders-stream.service"], text.Replace(Program, System.Environment.ProcessPath!, StringComparison.Ordinal));
        var start = new ProcessStartInfo("systemd-analyze", ["verify", "--man=no", folder["orders-stream.service"]])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var said = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            Assert.DoesNotContain("orders-stream.service", string.Concat(said), StringComparison.Ordinal);
        }
        catch (Win32Exception)
        {
            Assert.Skip("There is no systemd-analyze; the other tests have looked at what the unit names.");
        }
    }

    [Fact]
    public void it_may_end_by_itself_before_it_is_killed()
    {
        var patience = TimeSpan.FromSeconds(int.Parse(One("TimeoutStopSec"), CultureInfo.InvariantCulture));
        Assert.True(patience > RunVerb.StopTimeout);
    }

    /// <summary>Invariant 8: a failure that does not pass by itself is not tried again as if it did.</summary>
    [Fact]
    public void an_exit_code_does_not_start_it_again_and_a_signal_does() => Assert.Equal("on-abnormal", One("Restart"));

    private static string Program => One("ExecStart").Split(' ')[0];

    private static string One(string key) => Assert.Single(Unit[key]);
}
