using System.ComponentModel;
using System.Diagnostics;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>docker compose itself accepts the file; it needs no Docker engine for that.</summary>
public sealed class ComposeCommandTests
{
    private static readonly string[][] Commands = [["docker-compose"], ["docker", "compose"]];

    [Fact]
    public async Task compose_accepts_the_file_without_an_env_file()
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder["empty.env"], "");
        await CheckAsync(folder["empty.env"]);
    }

    [Fact]
    public async Task compose_accepts_the_file_with_the_example_as_env_file() =>
        await CheckAsync(Path.Combine(ConfigurationFile.Repository, ".env.example"));

    private static async Task CheckAsync(string envFile)
    {
        var command = await FindAsync();
        var file = Path.Combine(ConfigurationFile.Repository, "docker-compose.yml");
        var (exitCode, output) = await RunAsync([.. command, "--env-file", envFile, "-f", file, "config", "-q"]);
        Assert.True(exitCode == 0, $"{string.Join(' ', command)} config -q ended with {exitCode}: {output}");
        // A warning about a variable without a value would show here.
        Assert.Equal("", output.Trim());
    }

    private static async Task<string[]> FindAsync()
    {
        foreach (var command in Commands)
        {
            try
            {
                if ((await RunAsync([.. command, "version"])).ExitCode == 0) return command;
            }
            catch (Win32Exception)
            {
            }
        }
        MissingTool.Tell("Neither docker-compose nor docker compose is installed.");
        return [];
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // What the file refers to comes from the env file alone.
        foreach (var (name, _) in ComposeFile.References()) start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, string.Concat(await output));
    }
}
