using System.Text.RegularExpressions;
using System.Xml.Linq;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Architecture;

/// <summary>Holds the floors: which room may use which, in what was compiled and in what was written.</summary>
public sealed partial class FloorsTests
{
    private static readonly string Repository = ConfigurationFile.Repository;

    // FunctionApp is held by what is written: these tests are built without its packages.
    private static readonly string[] Compiled = ["OrdersStream.Pipeline", "OrdersStream.Site", "OrdersStream.Demo", "orders-stream"];

    // A program's first lines.
    private static readonly string WithoutNamespace = Path.Combine("LocalHost", "Program.cs");

    private static readonly HashSet<string> Types = [.. Compiled.SelectMany(assembly => AssemblyUses.TypesOf(PathOf(assembly)))];

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
        AssertNone(uses.Where(use => !Floors.May(use.From, use.To)).Select(use => use.Text).Distinct().Order(StringComparer.Ordinal));
    }

    [Theory, MemberData(nameof(Projects))]
    public void what_is_written_names_only_what_its_room_may(string project)
    {
        var files = SourceFiles(project).ToList();
        Assert.NotEmpty(files);
        AssertNone(files.SelectMany(file => Forbidden(file, File.ReadAllText(file))));
    }

    /// <summary>The floors are held: a line that goes up, or to a neighbour's, is found wherever it stands.</summary>
    [Theory]
    [InlineData("Pipeline/Store", "using OrdersStream.Capture;")]
    [InlineData("Pipeline/Lake", "using OrdersStream.Store;")]
    [InlineData("Pipeline/Rows", "var reader = new OrdersStream.Postgres.RowWitness();")]
    [InlineData("Pipeline/Audit", "using OrdersStream.Hosting.Functions;")]
    [InlineData("Demo", "using OrdersStream.LocalHost.Verbs;")]
    [InlineData("Site", "using OrdersStream.Demo.Servers;")]
    public void a_line_that_names_what_its_room_may_not_use_is_found(string folder, string line) =>
        Assert.Single(Forbidden(Path.Combine(Repository, folder, "New.cs"), line));

    [Theory, MemberData(nameof(Projects))]
    public void a_namespace_is_its_folder_and_a_folder_is_a_room(string project)
    {
        foreach (var file in SourceFiles(project))
        {
            var room = RoomOfFile(file);
            Assert.Contains(Floors.Rooms, r => r.Name == room);
            if (Path.GetRelativePath(Repository, file) == WithoutNamespace) continue;
            var name = NamespaceLine().Match(File.ReadAllText(file)) is { Success: true } line ? line.Groups["room"].Value : "none";
            Assert.Equal((file, room), (file, name));
        }
    }

    [Theory, MemberData(nameof(Projects))]
    public void a_project_is_built_from_those_below_it(string project)
    {
        // A double stands in for a package, and is not shipped.
        var references = XDocument.Load(Path.Combine(Repository, project, project + ".csproj")).Descendants("ProjectReference")
            .Where(r => Path.GetFileName(r.Attribute("Include")!.Value) != "KafkaDouble.csproj");
        var names = references.Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)).Order(StringComparer.Ordinal);
        Assert.Equal(Floors.Projects.Single(p => p.Name == project).MayUse.Order(StringComparer.Ordinal), names);
    }

    /// <summary>Else a file would name what no test here reads.</summary>
    [Fact]
    public void nothing_is_named_from_outside_the_sources()
    {
        string[] ending = [".props", ".targets", ".csproj"];
        var folders = Floors.Projects.Select(p => Path.Combine(Repository, p.Name)).Append(Repository);
        foreach (var file in folders.SelectMany(Directory.GetFiles).Where(f => ending.Contains(Path.GetExtension(f))))
        {
            var project = XDocument.Load(file);
            Assert.Empty(project.Descendants("Using"));
            if (Path.GetExtension(file) != ".csproj") Assert.Empty(project.Descendants("ProjectReference"));
        }
    }

    [Fact]
    public void no_floor_is_longer_than_what_is_used()
    {
        var used = Floors.Projects.SelectMany(p => SourceFiles(p.Name)).SelectMany(file => Named(file, File.ReadAllText(file))).ToHashSet();
        used.UnionWith(Compiled.SelectMany(UsesOf).Select(use => (use.From, use.To)));
        var idle = Floors.Rooms.SelectMany(r => r.MayUse.Select(use => (From: r.Name, To: use))).Except(used);
        AssertNone(idle.Select(use => $"{use.From} may use {use.To}, and does not"));
    }

    private static void AssertDownwards(Room[] rooms)
    {
        for (var i = 0; i < rooms.Length; i++)
            foreach (var use in rooms[i].MayUse)
                Assert.True(rooms[..i].Any(r => r.Name == use), $"{rooms[i].Name} uses {use}, which is not below it");
    }

    private static void AssertNone(IEnumerable<string> faults)
    {
        var all = faults.ToList();
        if (all.Count > 0) Assert.Fail(string.Join('\n', all));
    }

    private static IEnumerable<string> Forbidden(string file, string text) =>
        Named(file, text).Where(use => !Floors.May(use.From, use.To))
            .Select(use => $"{Path.GetRelativePath(Repository, file)}: names {use.To}");

    private static IEnumerable<(string From, string To, string Text)> UsesOf(string assembly) =>
        AssemblyUses.Of(PathOf(assembly));

    private static string PathOf(string assembly) => Path.Combine(AppContext.BaseDirectory, assembly + ".dll");

    /// <summary>By a using or wherever a name is written out; a constant or nameof leaves no trace in what is compiled.</summary>
    private static IEnumerable<(string From, string To)> Named(string file, string text)
    {
        var from = RoomOfFile(file);
        var names = FullName().Matches(text).Select(m => m.Groups["name"].Value)
            .Concat(RelativeName().Matches(text).Select(m => m.Groups["name"].Value).Where(Types.Contains));
        return names.Select(RoomOf).Where(to => to != from).Select(to => (from, to)).Distinct();
    }

    /// <summary>What is named may be a type in a room, too.</summary>
    private static string RoomOf(string name) =>
        Floors.Rooms.Select(r => r.Name).Where(r => $"{name}.".StartsWith($"{r}.", StringComparison.Ordinal)).MaxBy(r => r.Length) ?? name;

    private static string RoomOfFile(string file)
    {
        var folder = Path.GetDirectoryName(Path.GetRelativePath(Repository, file))!.Replace(Path.DirectorySeparatorChar, '.');
        return folder.StartsWith("Pipeline.", StringComparison.Ordinal) ? folder["Pipeline.".Length..] : folder;
    }

    private static IEnumerable<string> SourceFiles(string project) =>
        from file in Directory.EnumerateFiles(Path.Combine(Repository, project), "*.cs", SearchOption.AllDirectories)
        let parts = Path.GetRelativePath(Repository, file).Split(Path.DirectorySeparatorChar)
        where parts[1] is not ("bin" or "obj")
        select file;

    [GeneratedRegex(@"(?<![""\w.])OrdersStream\.(?<name>[\w.]+)")]
    private static partial Regex FullName();

    /// <summary>Two names: a room and one of its types, where it is that.</summary>
    [GeneratedRegex(@"(?<![""\w.])(?=(?<name>(?:\w+\.){1,2}\w+)(?![\w]))")]
    private static partial Regex RelativeName();

    [GeneratedRegex(@"^namespace OrdersStream\.(?<room>[\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
