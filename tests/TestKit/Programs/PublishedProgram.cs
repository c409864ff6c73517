using System.Diagnostics;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.TestKit.Programs;

/// <summary>LocalHost as it is installed, for the tests of a class: it is there before the first of them begins.</summary>
public sealed class PublishedProgram : IAsyncLifetime
{
    private readonly TestFolder folder = new("published");
    private string? program;
    private string? whyMissing;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists("/usr/bin/gcc") && !File.Exists("/usr/bin/clang"))
        {
            whyMissing = "needs gcc or clang: native code is linked by them";
            return;
        }
        program = await NativeBuild.ProgramAsync(Cancellation);
        Assert.False(File.Exists(program + ".dll"), "what was published is no native code");
    }

    /// <summary>Where it lies.</summary>
    public string Folder
    {
        get
        {
            if (program is null) TestEnvironment.MissingServer(whyMissing!);
            return Path.GetDirectoryName(program)!;
        }
    }

    /// <summary>Runs a verb that needs a configuration to its end.</summary>
    public async Task<ChildResult> RunAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        using var run = await StartAsync(options, verb, arguments);
        return await run.EndAsync();
    }

    /// <summary>Starts a verb that needs a configuration.</summary>
    public async Task<RunningProgram> StartAsync(PipelineOptions options, string verb, params string[] arguments)
    {
        var configuration = folder.PathOf(UniqueName.Of("configuration-"));
        await File.WriteAllTextAsync(configuration, ConfigurationLoader.Print(options), Cancellation);
        return Start([verb, "--config", configuration, .. arguments], options.Postgres.Password);
    }

    /// <summary>Starts anything else.</summary>
    /// <param name="arguments">Its own.</param>
    /// <param name="password">The role's; null: none is given.</param>
    /// <param name="configure">What is different at its start.</param>
    public RunningProgram Start(string[] arguments, string? password = null, Action<ProcessStartInfo>? configure = null)
    {
        if (program is null) TestEnvironment.MissingServer(whyMissing!);
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder.Path };
        if (password is not null) start.Environment["Postgres__Password"] = password;
        configure?.Invoke(start);
        return new RunningProgram(start);
    }

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }
}
