using System.Net;
using System.Text.Json;
using System.Xml.Linq;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>Holds deploy/Dockerfile, the image of LocalHost: what goes into it, its user, and what it starts.</summary>
public sealed class ImageTests
{
    private static readonly string[] Instructions =
    [
        .. ComposeFile.RepositoryFile("deploy", "Dockerfile").Split('\n').Select(l => l.Trim()).Where(l => l != "" && l[0] != '#'),
    ];

    public static string User => Instructions.Single(i => i.StartsWith("USER ", StringComparison.Ordinal))["USER ".Length..];

    [Fact]
    public void what_it_starts_is_the_program_and_the_program_knows_the_verb()
    {
        var project = XDocument.Parse(ComposeFile.RepositoryFile("LocalHost", "LocalHost.csproj"));
        var entry = JsonSerializer.Deserialize<string[]>(Instruction("ENTRYPOINT "))!;
        Assert.Equal([$"{Published}/{project.Descendants("AssemblyName").Single().Value}"], entry);
        var arguments = Commands.Root().Parse(JsonSerializer.Deserialize<string[]>(Instruction("CMD "))!);
        Assert.Empty(arguments.Errors);
        Assert.Equal("run", arguments.CommandResult.Command.Name);
        Assert.Equal(Instruction("EXPOSE "), $"{arguments.GetValue<IPEndPoint>("--ui")!.Port}");
        // Where it looks for its configuration.
        Assert.Equal(Published, Instructions.Last(i => i.StartsWith("WORKDIR ", StringComparison.Ordinal))["WORKDIR ".Length..]);
    }

    [Fact]
    public void it_is_built_with_the_sdk_and_a_linker_and_runs_on_what_native_code_needs()
    {
        Assert.Equal(
            ["FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build", "FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled"],
            Instructions.Where(i => i.StartsWith("FROM ", StringComparison.Ordinal)));
        Assert.Contains(
            " apt-get install -y --no-install-recommends clang zlib1g-dev ",
            Instructions.First(i => i.StartsWith("RUN ", StringComparison.Ordinal)));
        // Projects lie beside each other as in the repository, and what was published is all that is taken on.
        Assert.Equal("WORKDIR /src", Instructions.First(i => i.StartsWith("WORKDIR ", StringComparison.Ordinal)));
        var second = Array.FindLastIndex(Instructions, i => i.StartsWith("FROM ", StringComparison.Ordinal));
        var taken = Assert.Single(Instructions[second..], i => i.StartsWith("COPY ", StringComparison.Ordinal));
        Assert.Equal($"COPY --from=build {Published} {Published}", taken);
    }

    [Fact]
    public void it_runs_without_root_rights_on_a_port_that_needs_none()
    {
        Assert.Matches("^[1-9][0-9]*:[1-9][0-9]*$", User);
        Assert.Equal("8080", Instruction("EXPOSE "));
    }

    /// <summary>The projects that LocalHost is built from without its demonstration, each before and behind the restore.</summary>
    [Fact]
    public void all_that_it_is_built_from_is_copied()
    {
        var projects = ProjectsOf("LocalHost");
        Assert.Equal(["LocalHost", "Pipeline", "Site"], projects.Order());
        var restore = Array.FindIndex(Instructions, i => i.StartsWith("RUN dotnet restore", StringComparison.Ordinal));
        foreach (var project in projects)
        {
            Assert.InRange(Array.IndexOf(Instructions, $"COPY {project}/{project}.csproj {project}/"), 0, restore);
            Assert.True(Array.IndexOf(Instructions, $"COPY {project}/ {project}/") > restore, project);
        }
        Assert.Equal("RUN dotnet restore LocalHost/LocalHost.csproj", Instructions[restore].Split(" -p:")[0]);
        Assert.Contains(
            "\nRUN dotnet publish LocalHost/LocalHost.csproj -c Release -p:WithDemonstration=false -o ", string.Join('\n', Instructions));
        Assert.Equal(
            ["global.json", "Directory.Build.props", "Directory.Packages.props", "BannedSymbols.txt"],
            Instructions[..restore].First(i => i.StartsWith("COPY ", StringComparison.Ordinal)).Split(' ')[1..^1]);
        // And what they take from other folders, to the same place.
        var outside = projects.SelectMany(OutsideOf).Distinct().ToList();
        Assert.NotEmpty(outside);
        foreach (var (file, place) in outside.Select(file => (file, Path.GetDirectoryName(file) + "/")))
            Assert.True(Instructions.Contains($"COPY {place} {place}") || Instructions.Contains($"COPY {file} {place}"), file);
        Assert.All(["restore", "publish"], step => Assert.Contains(
            "-p:WithDemonstration=false", Instructions.Single(i => i.StartsWith($"RUN dotnet {step}", StringComparison.Ordinal))));
    }

    [Fact]
    public void everything_that_is_copied_is_let_through()
    {
        var lines = ComposeFile.RepositoryFile("deploy", "Dockerfile.dockerignore").Split('\n').Where(l => l != "" && l[0] != '#').ToList();
        var allowed = lines.Where(l => l.StartsWith('!')).Select(l => l[1..]).Order().ToArray();
        // All else stays outside, and builds of the one who makes the image do.
        Assert.Equal(["*", .. lines.Where(l => l.StartsWith('!')), "**/bin", "**/obj"], lines);
        var copied = Instructions
            .Where(i => i.StartsWith("COPY ", StringComparison.Ordinal) && !i.Contains("--from", StringComparison.Ordinal))
            .SelectMany(i => i.Split(' ')[1..^1]).Select(source => source.Split('/')[0]).Distinct().Order();
        Assert.Equal(allowed, copied);
        Assert.All(allowed, name => Assert.True(Path.Exists(Path.Combine(Manifests.Root, "..", "..", name)), name));
    }

    private static string Instruction(string start) =>
        Instructions.Single(i => i.StartsWith(start, StringComparison.Ordinal))[start.Length..];

    private static string Published =>
        Instructions.Single(i => i.StartsWith("RUN dotnet publish", StringComparison.Ordinal)).Split(" -o ")[1];

    private static IEnumerable<string> OutsideOf(string project) =>
        XDocument.Parse(ComposeFile.RepositoryFile(project, project + ".csproj")).Descendants()
            .Where(e => e.Name.LocalName is "EmbeddedResource" or "Content" or "None")
            .Select(e => e.Attribute("Include")?.Value).OfType<string>()
            .Where(i => i.StartsWith("../", StringComparison.Ordinal)).Select(i => i["../".Length..]);

    private static HashSet<string> ProjectsOf(string project)
    {
        var references = XDocument.Parse(ComposeFile.RepositoryFile(project, project + ".csproj")).Descendants("ProjectReference")
            .Where(r => r.Parent!.Attribute("Condition") is null);
        return [project, .. references.SelectMany(r => ProjectsOf(Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)))];
    }
}
