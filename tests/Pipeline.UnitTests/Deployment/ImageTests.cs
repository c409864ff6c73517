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
        var published = Instructions.Single(i => i.StartsWith("RUN dotnet publish", StringComparison.Ordinal)).Split(" -o ")[1];
        var entry = JsonSerializer.Deserialize<string[]>(Instruction("ENTRYPOINT "))!;
        Assert.Equal([$"{published}/{project.Descendants("AssemblyName").Single().Value}"], entry);
        var arguments = Commands.Root().Parse(JsonSerializer.Deserialize<string[]>(Instruction("CMD "))!);
        Assert.Empty(arguments.Errors);
        Assert.Equal("run", arguments.CommandResult.Command.Name);
        // Where it looks for its configuration.
        Assert.Equal(published, Instructions.Last(i => i.StartsWith("WORKDIR ", StringComparison.Ordinal))["WORKDIR ".Length..]);
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
        Assert.All(["restore", "publish"], step => Assert.Contains(
            "-p:WithDemonstration=false", Instructions.Single(i => i.StartsWith($"RUN dotnet {step}", StringComparison.Ordinal))));
    }

    [Fact]
    public void everything_that_is_copied_is_let_through()
    {
        var allowed = ComposeFile.RepositoryFile("deploy", "Dockerfile.dockerignore").Split('\n').Where(l => l.StartsWith('!'))
            .Select(l => l[1..]).Order().ToArray();
        var copied = Instructions
            .Where(i => i.StartsWith("COPY ", StringComparison.Ordinal) && !i.Contains("--from", StringComparison.Ordinal))
            .SelectMany(i => i.Split(' ')[1..^1]).Select(source => source.Split('/')[0]).Distinct().Order();
        Assert.Equal(allowed, copied);
        Assert.All(allowed, name => Assert.True(Path.Exists(Path.Combine(Manifests.Root, "..", "..", name)), name));
    }

    private static string Instruction(string start) =>
        Instructions.Single(i => i.StartsWith(start, StringComparison.Ordinal))[start.Length..];

    private static HashSet<string> ProjectsOf(string project)
    {
        var references = XDocument.Parse(ComposeFile.RepositoryFile(project, project + ".csproj")).Descendants("ProjectReference")
            .Where(r => r.Parent!.Attribute("Condition") is null);
        return [project, .. references.SelectMany(r => ProjectsOf(Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)))];
    }
}
