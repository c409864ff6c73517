using System.Text.RegularExpressions;
using System.Xml.Linq;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Architecture;

/// <summary>Holds the floors: which room may use which, in what was compiled and in what was written.</summary>
public sealed partial class FloorsTests
{
    private static readonly string Repository = ConfigurationFile.Repository;

    // FunctionApp's packages cannot be had everywhere, so it is held by what is written.
    private static readonly string[] Compiled = ["OrdersStream.Pipeline", "OrdersStream.Site", "OrdersStream.Demo", "orders-stream"];

    public static TheoryData<string> Assemblies => [.. Compiled];

    public static TheoryData<string> Projects => [.. Floors.Projects.Select(p => p.Name)];

    [Fact]
    public void floors_run_downwards_only()
    {
        AssertDownwards(Floors.Rooms);
        AssertDownwards(Floors.Projects);
    }

    [Theory, MemberData(nameof(Assemblies))]
    public void what_was_compiled_uses_only_what_its_room_may(string assembly)
    {
        var uses = UsesOf(assembly).ToList();
        Assert.NotEmpty(uses);
        var forbidden = uses.Where(use => !Floors.May(use.From, use.To)).Select(use => use.Text).Distinct().Order(StringComparer.Ordinal);
        Assert.Equal("", string.Join('\n', forbidden));
    }

    [Theory, MemberData(nameof(Projects))]
    public void what_is_written_names_only_what_its_room_may(string project)
    {
        var files = SourceFiles(project).ToList();
        Assert.NotEmpty(files);
        Assert.Equal("", string.Join('\n', files.SelectMany(Forbidden)));
    }

    [Theory, MemberData(nameof(Projects))]
    public void a_namespace_is_its_folder_and_a_folder_is_a_room(string project)
    {
        foreach (var file in SourceFiles(project))
        {
            if (NamespaceOf(file) is not { } name) continue;
            var inProject = Path.GetRelativePath(Path.Combine(Repository, project), file);
            var folder = Path.GetDirectoryName(inProject)!.Replace(Path.DirectorySeparatorChar, '.');
            var room = project == "Pipeline" ? folder : folder.Length == 0 ? project : $"{project}.{folder}";
            Assert.Equal((file, room), (file, name));
            Assert.Contains(Floors.Rooms, r => r.Name == room);
        }
    }

    [Theory, MemberData(nameof(Projects))]
    public void a_project_is_built_from_those_below_it(string project)
    {
        var references = XDocument.Load(Path.Combine(Repository, project, project + ".csproj")).Descendants("ProjectReference");
        var names = references.Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)).Order(StringComparer.Ordinal);
        Assert.Equal(Floors.Projects.Single(p => p.Name == project).MayUse.Order(StringComparer.Ordinal), names);
    }

    [Fact]
    public void no_floor_is_longer_than_what_is_used()
    {
        var used = Floors.Projects.SelectMany(p => SourceFiles(p.Name)).SelectMany(Usings).ToHashSet();
        used.UnionWith(Compiled.SelectMany(UsesOf).Select(use => (use.From, use.To)));
        var idle = Floors.Rooms.SelectMany(r => r.MayUse.Select(use => (r.Name, use))).Except(used);
        Assert.Equal("", string.Join('\n', idle));
    }

    private static void AssertDownwards(Room[] rooms)
    {
        for (var i = 0; i < rooms.Length; i++)
            foreach (var use in rooms[i].MayUse)
                Assert.True(rooms[..i].Any(r => r.Name == use), $"{rooms[i].Name} uses {use}, which is not below it");
    }

    private static IEnumerable<string> Forbidden(string file) =>
        Usings(file).Where(use => !Floors.May(use.From, use.To)).Select(use => $"{Path.GetRelativePath(Repository, file)}: using {use.To}");

    private static IEnumerable<(string From, string To, string Text)> UsesOf(string assembly) =>
        AssemblyUses.Of(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));

    private static IEnumerable<(string From, string To)> Usings(string file)
    {
        if (NamespaceOf(file) is not { } from) yield break;
        foreach (Match match in UsingLine().Matches(File.ReadAllText(file)))
            if (RoomOf(match.Groups["name"].Value) is var to && to != from) yield return (from, to);
    }

    /// <summary>What is named may be a type in a room, too.</summary>
    private static string RoomOf(string name) =>
        Floors.Rooms.Select(r => r.Name).Where(r => $"{name}.".StartsWith($"{r}.", StringComparison.Ordinal)).MaxBy(r => r.Length) ?? name;

    private static string? NamespaceOf(string file) =>
        NamespaceLine().Match(File.ReadAllText(file)) is { Success: true } match ? match.Groups["room"].Value : null;

    private static IEnumerable<string> SourceFiles(string project) =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository, project), "*.cs", SearchOption.AllDirectories)
        let parts = Path.GetRelativePath(Repository, file).Split(Path.DirectorySeparatorChar)
        where !parts.Contains("bin") && !parts.Contains("obj")
        select file;

    [GeneratedRegex(@"^(?:global )?using (?:static )?(?:\w+ = )?OrdersStream\.(?<name>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"^namespace OrdersStream\.(?<room>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
