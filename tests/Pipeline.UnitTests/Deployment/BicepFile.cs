using System.Collections.Concurrent;
using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>A plan of deploy/azure: what would be deployed, by the compiler's own evaluation of template and parameters.</summary>
internal sealed class BicepFile
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<BicepFile>>> Evaluated = [];

    private readonly JsonArray resources;

    private BicepFile(JsonArray resources, string said) => (this.resources, Said) = (resources, said);

    public static string Folder { get; } = Path.Combine(ConfigurationFile.Repository, "deploy", "azure");

    /// <summary>Where the compiler is; null: it comes for 64-bit Linux only.</summary>
    public static string? Compiler { get; } =
        typeof(BicepFile).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().SingleOrDefault(a => a.Key == "Bicep")?.Value;

    /// <summary>What the examples of parameters find in their environment, by the parameters that take it.</summary>
    public static IReadOnlyDictionary<string, string> Passwords { get; } =
        new Dictionary<string, string> { ["postgresPassword"] = "of postgres", ["kafkaPassword"] = "of kafka" };

    /// <summary>Warnings and errors of compiler and linter.</summary>
    public string Said { get; }

    /// <summary>Evaluated once; skips where there is no compiler.</summary>
    /// <param name="plan">Its name.</param>
    /// <param name="parameters">Lines that stand for those of the same parameters in its example, or are more of them.</param>
    public static Task<BicepFile> OfAsync(string plan, params string[] parameters)
    {
        SkipWithoutCompiler();
        return Evaluated.GetOrAdd(string.Join('\n', [plan, .. parameters]), _ => new(() => EvaluateAsync(plan, parameters))).Value;
    }

    /// <summary>Warnings and errors where a line more stands at a plan's end; skips where there is no compiler.</summary>
    public static async Task<string> SaidOfAsync(string plan, string line)
    {
        SkipWithoutCompiler();
        using var folder = CopyOfAll();
        await File.AppendAllTextAsync(folder[$"{plan}.bicep"], $"\n{line}\n");
        return (await RunAsync("lint", folder[$"{plan}.bicep"])).Said;
    }

    /// <summary>Before any evaluation: a plan's parameters as its example gives them, and its resources, both by name.</summary>
    public static async Task<(JsonObject Parameters, JsonObject Resources)> CompiledAsync(string plan)
    {
        SkipWithoutCompiler();
        using var folder = CopyOfAll();
        var (exitCode, said) = await RunAsync("build-params", folder[$"{plan}.bicepparam"], "--stdout");
        Assert.True(exitCode == 0, said);
        return (Part("parametersJson", "parameters"), Part("templateJson", "resources"));

        JsonObject Part(string file, string name) => JsonNode.Parse((string)JsonNode.Parse(said)![file]!)![name]!.AsObject();
    }

    /// <summary>The resources of a type, by whatever name.</summary>
    public IEnumerable<JsonNode> All(string type) => resources.Where(r => (string?)r!["type"] == type)!;

    /// <summary>The settings of a site; a secret is its reference to the vault.</summary>
    public static Dictionary<string, string> SettingsOf(JsonNode site) =>
        site["properties"]!["siteConfig"]!["appSettings"]!.AsArray().ToDictionary(s => (string)s!["name"]!, s => (string)s!["value"]!);

    private static async Task<BicepFile> EvaluateAsync(string plan, string[] parameters)
    {
        using var folder = CopyOfAll();
        var example = folder[$"{plan}.bicepparam"];
        var others = (await File.ReadAllLinesAsync(example)).Where(line => !parameters.Any(p => NameOf(p) == NameOf(line)));
        await File.WriteAllLinesAsync(example, [.. others, .. parameters]);
        var (exitCode, said) = await RunAsync(
            "snapshot", folder[$"{plan}.bicepparam"], "--mode", "overwrite", "--subscription-id", Guid.Empty.ToString(),
            "--resource-group", "group", "--location", "westeurope");
        Assert.True(exitCode == 0, $"bicep snapshot {plan} ended with {exitCode}: {said}");
        var snapshot = JsonNode.Parse(await File.ReadAllTextAsync(folder[$"{plan}.snapshot.json"]))!;
        return new BicepFile(snapshot["predictedResources"]!.AsArray(), said);
    }

    private static void SkipWithoutCompiler() =>
        Assert.SkipWhen(Compiler is null, "The compiler of Bicep comes from a package for 64-bit Linux.");

    private static TempFolder CopyOfAll()
    {
        var folder = new TempFolder();
        foreach (var file in Directory.EnumerateFiles(Folder)) File.Copy(file, folder[Path.GetFileName(file)]);
        return folder;
    }

    private static async Task<(int ExitCode, string Said)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Compiler!, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
            Environment =
            {
                ["POSTGRES_PASSWORD"] = Passwords["postgresPassword"], ["KAFKA_PASSWORD"] = Passwords["kafkaPassword"],
            },
        };
        using var process = Process.Start(start)!;
        var said = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, string.Concat(await said));
    }

    private static string NameOf(string parameter) => parameter.Split('=')[0].Trim();
}
