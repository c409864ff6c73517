using OrdersStream.Benchmarks.Measuring;
using OrdersStream.LocalHost.Embedded;

namespace OrdersStream.Benchmarks.Running;

/// <summary>LocalHost as a user would install it: published, in Release, in a folder of its own.</summary>
internal sealed class PublishedHost
{
    private readonly string program;

    private PublishedHost(string program) => this.program = program;

    public static async Task<PublishedHost> PublishAsync(string folder, Progress progress, CancellationToken cancellationToken)
    {
        progress.Say("publishing LocalHost");
        var output = Path.Combine(folder, "host");
        var end = await ChildProgram.TryRunAsync(
            ["dotnet", "publish", Path.Combine(Repository(), "LocalHost", "LocalHost.csproj"), "-c", "Release", "-o", output, "--nologo", "-v", "quiet", "-nodeReuse:false", "-p:UseSharedCompilation=false"],
            null, cancellationToken);
        if (end is not { ExitCode: 0 }) throw new BenchmarkException($"dotnet publish failed: {end?.Output ?? "dotnet is not on the PATH"}");
        return new(Path.Combine(output, "orders-stream"));
    }

    /// <summary>Starts a verb that needs no configuration.</summary>
    public Child Start(params string[] arguments) => Child.Start(program, arguments);

    /// <summary>Starts <c>run</c>.</summary>
    public Child Run(BenchmarkStream stream, params string[] arguments)
    {
        var password = ("Postgres__Password", stream.Options.Postgres.Password);
        return stream.Options.Kafka.BrokerTellsTopicIds
            ? Child.Start(program, ["run", "--config", stream.ConfigurationFile, .. arguments], password)
            : Child.StartSelf([UnpublishedHost.Verb, "--config", stream.ConfigurationFile, .. arguments], password);
    }

    private static string Repository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "OrdersStream.slnx"))) return folder.FullName;
        throw new BenchmarkException("this program does not lie in the repository that it was built from, so LocalHost cannot be published");
    }
}
