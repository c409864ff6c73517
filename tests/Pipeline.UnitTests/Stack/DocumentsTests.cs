using System.Text.RegularExpressions;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>
/// What README.md and docs/ name is there: the target of every link, every path of this repository, every test class. The decisions
/// are left out: they are of their day, and the newest says what became of the names in the older ones.
/// </summary>
public sealed partial class DocumentsTests
{
    private static readonly string[] Folders = ["Pipeline", "tests", .. Directory.GetDirectories(At("tests")).Select(Relative)];

    private static readonly HashSet<string> FileNames =
    [
        .. Directory.EnumerateFiles(ConfigurationFile.Repository, "*.cs", SearchOption.AllDirectories).Select(f => Path.GetFileName(f)),
    ];

    public static TheoryData<string> Documents() =>
        ["README.md", "datalake/README.md", .. Directory.EnumerateFiles(At("docs"), "*.md").Select(Relative).Order()];

    [Theory, MemberData(nameof(Documents))]
    public void every_link_leads_somewhere(string document) =>
        Assert.DoesNotContain(Link().Matches(Prose(document)).Select(m => m.Groups[1].Value), link => !Leads(document, link));

    [Theory, MemberData(nameof(Documents))]
    public void every_path_of_this_repository_is_there(string document) =>
        Assert.DoesNotContain(Spans(document), span => IsOwnPath(span) && !Exists(span));

    [Theory, MemberData(nameof(Documents))]
    public void every_test_that_is_named_is_there(string document) =>
        Assert.DoesNotContain(Spans(document), span => TestName().IsMatch(span) && !Exists(span));

    private static bool Leads(string document, string link)
    {
        if (link.Contains("://", StringComparison.Ordinal)) return true;
        var parts = link.Split('#');
        var target = parts[0] == "" ? document : Relative(Path.GetFullPath(parts[0], Path.GetDirectoryName(At(document))!));
        if (!Path.Exists(At(target))) return false;
        return parts.Length == 1 || Headings(target).Contains(parts[1]);
    }

    /// <summary>As GitHub makes anchors of them.</summary>
    private static IEnumerable<string> Headings(string document) =>
        from line in Prose(document).Split('\n')
        where line.StartsWith('#')
        let kept = line.TrimStart('#').Trim().ToLowerInvariant().Where(c => char.IsAsciiLetterOrDigit(c) || c is ' ' or '-' or '_')
        select string.Concat(kept).Replace(' ', '-');

    /// <summary>
    /// A source file; or something below a folder that begins with a capital or is one of the root's own. What else has a slash is a
    /// path of a request, a lake or a container.
    /// </summary>
    private static bool IsOwnPath(string span) =>
        PlainPath().IsMatch(span) && (Path.GetExtension(span) is ".cs" or ".csproj" || OwnRoot().IsMatch(span));

    /// <summary>
    /// From the root, or as the documents shorten it: without Pipeline or the test project before it, or without the ending.
    /// </summary>
    private static bool Exists(string span)
    {
        var path = span.TrimEnd('/');
        if (Path.Exists(At(path)) || FileNames.Contains(path) || FileNames.Contains(path + ".cs")) return true;
        return Folders.Any(folder => Path.Exists(At($"{folder}/{path}")) || File.Exists(At($"{folder}/{path}.cs")));
    }

    private static IEnumerable<string> Spans(string document) =>
        Span().Matches(Prose(document)).Select(m => m.Groups[1].Value).Distinct();

    /// <summary>Without blocks of code.</summary>
    private static string Prose(string document) => Block().Replace(File.ReadAllText(At(document)), "");

    private static string At(string path) => Path.Combine(ConfigurationFile.Repository, path);

    private static string Relative(string path) => Path.GetRelativePath(ConfigurationFile.Repository, path).Replace('\\', '/');

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Span();

    [GeneratedRegex(@"^[\w.-]+(/[\w.-]+)*/?$")]
    private static partial Regex PlainPath();

    [GeneratedRegex(@"^([A-Z][\w.]*|tests|docs|configs|db|deploy|\.github|\.ci)/")]
    private static partial Regex OwnRoot();

    [GeneratedRegex(@"^([\w.]+/)*[A-Z][\w.]*Tests$")]
    private static partial Regex TestName();
}
