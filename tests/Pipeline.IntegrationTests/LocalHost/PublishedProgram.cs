using System.Diagnostics;
using OrdersStream.Configuration;
using OrdersStream.IntegrationTests.LocalHost;
using OrdersStream.LocalHost.Embedded;

[assembly: AssemblyFixture(typeof(PublishedProgram))]

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>LocalHost as it is installed: published, and native where the machine can link. Made once, for the first test that wants it.</summary>
public sealed class PublishedProgram : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("orders-stream-published-");
    private readonly Lazy<Task<string>> program;

    public PublishedProgram() => program = new(PublishAsync);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Runs a verb to its end.</summary>
    public async Task<ChildResult> RunAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        using var process = await StartAsync(options, verb, arguments);
        var errors = process.StandardError.ReadToEndAsync(Cancellation);
        var output = await process.StandardOutput.ReadToEndAsync(Cancellation);
        await process.WaitForExitAsync(Cancellation);
        return new ChildResult(process.ExitCode, output + await errors);
    }

    /// <summary>Starts a verb.</summary>
    public async Task<Process> StartAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        var configuration = Path.Combine(folder.FullName, Path.GetRandomFileName());
        await File.WriteAllTextAsync(configuration, ConfigurationLoader.Print(options), Cancellation);
        var start = new ProcessStartInfo(await program.Value, [verb, "--config", configuration, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["Postgres__Password"] = options.Postgres.Password;
        return Process.Start(start)!;
    }

    public void Dispose() => folder.Delete(recursive: true);

    // All that is built lies in a folder of its own: the tests run from what was built before, and the restore is another one.
    private async Task<string> PublishAsync()
    {
        var output = Path.Combine(folder.FullName, "host");
        var end = await ChildProgram.TryRunAsync(
            ["dotnet", "publish", Path.Combine(Repository(), "LocalHost"), "-c", "Release", "-o", output, "--artifacts-path", Path.Combine(folder.FullName, "built"),
             "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false"],
            null, Cancellation);
        if (end is not { ExitCode: 0 }) throw new InvalidOperationException($"dotnet publish failed: {end?.Output ?? "dotnet is not on the PATH"}");
        return Path.Combine(output, "orders-stream");
    }

    private static string Repository()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "OrdersStream.slnx"))) at = at.Parent!;
        return at.FullName;
    }
}
