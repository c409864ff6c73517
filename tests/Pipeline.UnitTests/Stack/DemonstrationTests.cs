using System.Xml.Linq;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>
/// A program without the demonstration is one build option away (WithDemonstration): what needs it is named in LocalHost's project
/// file, and nothing else in LocalHost knows of it.
/// </summary>
public sealed class DemonstrationTests
{
    private static string Folder => Path.Combine(ConfigurationFile.Repository, "LocalHost");

    private static readonly XElement Project = XElement.Load(Path.Combine(Folder, "LocalHost.csproj"));

    [Fact]
    public void what_names_the_demonstration_is_left_out_with_it()
    {
        var without = Project.Descendants("Compile").Single(c => Condition(c) == "'$(WithDemonstration)' != 'true'");
        var left = without.Attribute("Remove")!.Value.Split(';');
        Assert.Equal(left.Order(), Sources().Where(file => NamesTheDemonstration(file.Text)).Select(file => file.Name).Order());
    }

    [Fact]
    public void only_the_option_brings_the_demonstration_in()
    {
        var reference = Project.Descendants("ProjectReference").Single(r => r.Attribute("Include")!.Value == "../Demo/Demo.csproj");
        Assert.Equal("'$(WithDemonstration)' == 'true'", Condition(reference));
        var option = Project.Descendants("WithDemonstration").Single();
        Assert.Equal(("'$(WithDemonstration)' == ''", "true"), (option.Attribute("Condition")!.Value, option.Value));
    }

    private static string? Condition(XElement item) => item.Parent!.Attribute("Condition")?.Value;

    private static bool NamesTheDemonstration(string source) => source.Contains("OrdersStream.Demo", StringComparison.Ordinal);

    private static IEnumerable<(string Name, string Text)> Sources() =>
        from file in Directory.EnumerateFiles(Folder, "*.cs", SearchOption.AllDirectories)
        let name = Path.GetRelativePath(Folder, file).Replace('\\', '/')
        where name.Split('/')[0] is not ("bin" or "obj")
        select (name, File.ReadAllText(file));
}
