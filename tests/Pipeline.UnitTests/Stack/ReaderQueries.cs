using System.Text.RegularExpressions;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>The queries that the documents give to readers of a lake, as they stand there.</summary>
internal static partial class ReaderQueries
{
    public static readonly string[] Documents = ["README.md", "datalake/README.md"];

    /// <summary>A document's query, with a lake's folder in the place of its own; the semicolon at its end is left out.</summary>
    /// <param name="document">Path from the repository's root.</param>
    /// <param name="mark">A word that only this query has.</param>
    /// <param name="lake">The lake's folder.</param>
    public static string Of(string document, string mark, string lake)
    {
        var query = All(document).Single(q => q.Contains(mark, StringComparison.Ordinal));
        Assert.Matches(LakePath(), query);
        return LakePath().Replace(query, lake).TrimEnd().TrimEnd(';');
    }

    /// <summary>Only the query for DuckDB has it that gives whole rows.</summary>
    public const string DuckDbRows = ")\nQUALIFY";

    /// <summary>The SQL of each command line that a document gives, with a lake's folder in the place of its own.</summary>
    public static IEnumerable<string> Commands(string document, string lake) =>
        Command().Matches(File.ReadAllText(Path.Combine(ConfigurationFile.Repository, document)))
            .Select(m => LakePath().Replace(m.Groups[1].Value, lake));

    /// <summary>Whatever chooses between versions of a row.</summary>
    public static IEnumerable<string> All(string document) =>
        Block().Matches(File.ReadAllText(Path.Combine(ConfigurationFile.Repository, document)))
            .Select(m => m.Groups[1].Value).Where(q => q.Contains("_offset", StringComparison.Ordinal));

    [GeneratedRegex(@"^```\w+\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex("duckdb -c \"([^\"]*)\"")]
    private static partial Regex Command();

    [GeneratedRegex(@"datalake/(demo|food/[^/""']+/output)/orders")]
    private static partial Regex LakePath();
}
