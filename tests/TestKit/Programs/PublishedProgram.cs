using System.Diagnostics;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>LocalHost as it is installed: published as native code. Made once, for the first test that wants it.</summary>
public sealed class PublishedProgram : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("orders-stream-published-");
    private readonly Lazy<Task<string>> program;

    public PublishedProgram() => program = new(PublishAsync);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Runs a verb that needs a configuration to its end.</summary>
    public async Task<ChildResult> RunAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        using var run = await StartAsync(options, verb, arguments);
        return await run.EndAsync();
    }

    /// <summary>Starts a verb that needs a configuration.</summary>
    public async Task<RunningProgram> StartAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        var configuration = Path.Combine(folder.FullName, Path.GetRandomFileName());
        await File.WriteAllTextAsync(configuration, ConfigurationLoader.Print(options), Cancellation);
        return await StartAsync([verb, "--config", configuration, .. arguments], options.Postgres.Password);
    }

    /// <summary>Starts anything else.</summary>
    public async Task<RunningProgram> StartAsync(string[] arguments, string? password = null)
    {
        if (!File.Exists("/usr/bin/gcc") && !File.Exists("/usr/bin/clang")) TestEnvironment.MissingServer("needs gcc or clang: native code is linked by them");
        var start = new ProcessStartInfo(await program.Value, arguments) { WorkingDirectory = folder.FullName };
        if (password is not null) start.Environment["Postgres__Password"] = password;
        return new RunningProgram(start);
    }

    public void Dispose() => folder.Delete(recursive: true);

    // All that is built lies in a folder of its own: the tests run from what was built before, and the restore is another one.
    private async Task<string> PublishAsync()
    {
        var output = Path.Combine(folder.FullName, "host");
        var published = await PublishAsync(output, ["--artifacts-path", Path.Combine(folder.FullName, "built")], Cancellation);
        Assert.False(File.Exists(Path.Combine(output, "orders-stream.dll")), "what was published is no native code");
        return published;
    }

    /// <summary>Publishes LocalHost in Release.</summary>
    /// <param name="output">The folder for it.</param>
    /// <param name="arguments">Further ones of <c>dotnet publish</c>.</param>
    /// <returns>The program's path.</returns>
    /// <exception cref="InvalidOperationException">It cannot be published.</exception>
    public static async Task<string> PublishAsync(string output, string[] arguments, CancellationToken cancellationToken)
    {
        var end = await ChildProgram.TryRunAsync(
            ["dotnet", "publish", Repository.PathOf("LocalHost/LocalHost.csproj"), "-c", "Release", "-o", output, .. arguments,
             "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false"],
            null, cancellationToken);
        if (end is not { ExitCode: 0 }) throw new InvalidOperationException($"dotnet publish failed: {end?.Output ?? "dotnet is not on the PATH"}");
        return Path.Combine(output, "orders-stream");
    }
}
