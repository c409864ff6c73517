using System.Globalization;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>The compiler holds .editorconfig's other rules for the source; of the length of lines it takes no notice.</summary>
public sealed class SourceTextTests
{
    private const string Setting = "max_line_length = ";

    [Fact]
    public void no_line_is_longer_than_editorconfig_allows()
    {
        var limit = LineLengthMax();
        var sources = Sources().ToArray();
        Assert.Contains(sources, s => s.EndsWith($"{nameof(SourceTextTests)}.cs", StringComparison.Ordinal));
        var tooLong =
            from source in sources
            from line in File.ReadLines(Path.Combine(ConfigurationFile.Repository, source)).Index()
            where line.Item.Length > limit
            select $"{source}:{line.Index + 1}";
        Assert.True(!tooLong.Any(), $"over {limit} columns:\n{string.Join('\n', tooLong.Order(StringComparer.Ordinal))}");
    }

    /// <summary>As editors read it: the setting of the section for C#.</summary>
    private static int LineLengthMax()
    {
        var setting = File.ReadLines(Path.Combine(ConfigurationFile.Repository, ".editorconfig"))
            .SkipWhile(line => line != "[*.cs]").Skip(1).TakeWhile(line => !line.StartsWith('['))
            .Single(line => line.StartsWith(Setting, StringComparison.Ordinal));
        return int.Parse(setting[Setting.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>The sources of all projects, from the repository on, but for what a build generates.</summary>
    private static IEnumerable<string> Sources() =>
        Directory.EnumerateFiles(ConfigurationFile.Repository, "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(ConfigurationFile.Repository, file))
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(folder => folder is "bin" or "obj"));
}
