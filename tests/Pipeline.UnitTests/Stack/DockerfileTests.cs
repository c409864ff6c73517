using System.Xml.Linq;

namespace OrdersStream.UnitTests.Stack;

/// <summary>Holds FunctionApp/Dockerfile and what goes into it: image, user, layers, settings that compose repeats.</summary>
public sealed class DockerfileTests
{
    // Continued lines joined, comments dropped.
    private static readonly string[] Instructions = [.. ComposeFile.RepositoryFile("FunctionApp", "Dockerfile").Replace("\\\n", " ")
        .Split('\n').Select(l => l.Trim()).Where(l => l != "" && l[0] != '#')];

    [Fact]
    public void it_is_built_with_the_sdk_and_runs_on_the_functions_host() =>
        Assert.Equal(
            [
                "FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build",
                "FROM mcr.microsoft.com/azure-functions/dotnet-isolated:4-dotnet-isolated10.0",
            ],
            Instructions.Where(i => i.StartsWith("FROM ", StringComparison.Ordinal)));

    [Fact]
    public void packages_are_restored_before_sources_are_copied()
    {
        var restore = IndexOf("RUN dotnet restore FunctionApp/FunctionApp.csproj");
        var before = string.Join('\n', Instructions.Take(restore));
        foreach (var file in (string[])["global.json", "Directory.Build.props", "Directory.Packages.props"]) Assert.Contains(file, before);
        var projects = ProjectsOf("FunctionApp");
        Assert.Superset(new HashSet<string> { "FunctionApp", "Pipeline", "Site" }, projects);
        foreach (var project in projects)
        {
            Assert.Contains($"{project}/{project}.csproj", before);
            Assert.True(IndexOf($"COPY {project}/ {project}/") > restore, project);
        }
        var publish = Instructions[IndexOf("RUN dotnet publish FunctionApp/FunctionApp.csproj")];
        Assert.Contains("-o /home/site/wwwroot", publish);
        // What is restored is what is published; without it, the image has the libraries of every platform.
        Assert.Contains(" -r linux-x64", Instructions[restore]);
        Assert.Contains(" -r linux-x64 --no-self-contained", publish);
    }

    [Fact]
    public void it_runs_without_root_rights_on_a_port_that_needs_none()
    {
        var user = Assert.Single(Instructions, i => i.StartsWith("USER ", StringComparison.Ordinal))["USER ".Length..];
        Assert.All(user.Split(':'), id => Assert.NotEqual("0", id));
        Assert.Equal(new ComposeFile().Value("services", "functions", "user"), user);
        Assert.Contains("EXPOSE 8080", Instructions);
        Assert.True(IndexOf("USER ") > IndexOf("COPY --from=build"));
    }

    [Fact]
    public void the_image_and_compose_tell_the_host_the_same()
    {
        var compose = new ComposeFile().Environment("functions");
        var image = Settings();
        Assert.NotEmpty(image);
        foreach (var (name, value) in image) Assert.Equal(value, compose[name]);
        // What bounds the memory bounds it wherever the image runs.
        Assert.All(compose.Keys.Where(k => k.StartsWith("DOTNET_", StringComparison.Ordinal)), name => Assert.Contains(name, image.Keys));
    }

    [Fact]
    public void sasl_is_chosen_when_the_image_is_built()
    {
        Assert.Contains("ARG KafkaSecurity=", Instructions);
        Assert.Contains("ARG KafkaMechanism=", Instructions);
        var publish = Instructions[IndexOf("RUN dotnet publish")];
        Assert.Contains("-p:KafkaSecurity=$KafkaSecurity", publish);
        Assert.Contains("-p:KafkaMechanism=$KafkaMechanism", publish);
    }

    [Fact]
    public void everything_that_is_copied_is_let_through_by_dockerignore()
    {
        var allowed = ComposeFile.RepositoryFile(".dockerignore").Split('\n').Where(l => l.StartsWith('!')).Select(l => l[1..]).ToHashSet();
        var copied = Instructions
            .Where(i => i.StartsWith("COPY ", StringComparison.Ordinal) && !i.Contains("--from", StringComparison.Ordinal))
            .SelectMany(i => i.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..^1]).ToArray();
        Assert.NotEmpty(copied);
        foreach (var source in copied) Assert.Contains(source.Split('/')[0], allowed);
        foreach (var source in allowed) Assert.Contains(copied, c => c.Split('/')[0] == source);
    }

    [Fact]
    public void output_of_builds_outside_stays_outside()
    {
        var ignored = ComposeFile.RepositoryFile(".dockerignore").Split('\n');
        Assert.Contains("**/bin", ignored);
        Assert.Contains("**/obj", ignored);
    }

    // It turns central package versions off: a package reference without a version ends its restore.
    [Fact]
    public void the_project_that_the_functions_sdk_generates_is_left_alone()
    {
        var props = XDocument.Parse(ComposeFile.RepositoryFile("Directory.Build.props")).Root!;
        Assert.All(props.Elements(), e => Assert.Equal("'$(MSBuildProjectName)' != 'WorkerExtensions'", e.Attribute("Condition")?.Value));
    }

    [Fact]
    public void the_image_has_the_kafka_extension_itself_and_no_double_of_it()
    {
        Assert.Equal("-p:KafkaDouble=true -restoreProperty:KafkaDouble=true", Arguments("Directory.Build.rsp"));
        // The nearest one counts, and an image has no other.
        Assert.Equal("", Arguments("FunctionApp", "Directory.Build.rsp"));
        Assert.All(["KafkaDouble", ".rsp"], word => Assert.DoesNotContain(Instructions, i => i.Contains(word, StringComparison.Ordinal)));

        static string Arguments(params string[] file) =>
            string.Join('\n', ComposeFile.RepositoryFile(file).Split('\n').Where(l => l != "" && l[0] != '#'));
    }

    [Fact]
    public void what_is_built_with_the_double_cannot_be_published()
    {
        var project = XDocument.Parse(ComposeFile.RepositoryFile("FunctionApp", "FunctionApp.csproj"));
        var refusal = project.Descendants("Target").Single(t => t.Attribute("Name")?.Value == "RefuseDouble");
        Assert.Equal("PrepareForPublish", refusal.Attribute("BeforeTargets")?.Value);
        Assert.Equal("'$(KafkaDouble)' == 'true'", refusal.Attribute("Condition")?.Value);
        var error = Assert.Single(refusal.Elements());
        Assert.Equal(("Error", null), (error.Name.LocalName, error.Attribute("Condition")));
    }

    /// <summary>A project and all that it is built from.</summary>
    private static HashSet<string> ProjectsOf(string project)
    {
        var references = XDocument.Parse(ComposeFile.RepositoryFile(project, project + ".csproj")).Descendants("ProjectReference")
            .Where(r => Path.GetFileName(r.Attribute("Include")!.Value) != "KafkaDouble.csproj");
        return [project, .. references.SelectMany(r => ProjectsOf(Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)))];
    }

    private static int IndexOf(string start)
    {
        var at = Array.FindIndex(Instructions, i => i.StartsWith(start, StringComparison.Ordinal));
        Assert.True(at >= 0, $"no instruction '{start}'");
        return at;
    }

    /// <summary>What the image tells runtime, worker and host.</summary>
    internal static Dictionary<string, string> Settings() =>
        Instructions.Last(i => i.StartsWith("ENV ", StringComparison.Ordinal))["ENV ".Length..]
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);
}
