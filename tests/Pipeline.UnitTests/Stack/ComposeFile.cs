using System.Text.RegularExpressions;
using OrdersStream.UnitTests.Configuration;
using YamlDotNet.RepresentationModel;

namespace OrdersStream.UnitTests.Stack;

/// <summary>docker-compose.yml as compose reads it under an environment: references replaced, <c>$$</c> unescaped.</summary>
internal sealed partial class ComposeFile
{
    private readonly YamlMappingNode root;
    private readonly IReadOnlyDictionary<string, string> environment;

    public ComposeFile(IReadOnlyDictionary<string, string>? environment = null)
    {
        this.environment = environment ?? new Dictionary<string, string>();
        var yaml = new YamlStream();
        yaml.Load(new StringReader(Source));
        root = (YamlMappingNode)yaml.Documents.Single().RootNode;
    }

    public static string Source { get; } = RepositoryFile("docker-compose.yml");

    public static string RepositoryFile(params string[] names) => File.ReadAllText(Path.Combine([ConfigurationFile.Repository, .. names]));

    /// <summary>Names and defaults of all <c>${NAME:-default}</c>; a reference of another form has no default.</summary>
    public static IEnumerable<(string Name, string? Default)> References() =>
        Reference().Matches(Source).Select(m => (m.Groups["name"].Value, m.Groups["default"].Success ? m.Groups["default"].Value : null));

    public IEnumerable<string> Services => Keys("services");

    public IEnumerable<string> Keys(params string[] path) =>
        Node(path) is YamlMappingNode map ? map.Children.Keys.Select(k => Text(k)) : [];

    public string? Value(params string[] path) => Node(path) is YamlScalarNode scalar ? Text(scalar) : null;

    public string[] List(params string[] path) => Node(path) is YamlSequenceNode list ? [.. list.Select(Text)] : [];

    /// <summary>What the container's process finds in its environment.</summary>
    public Dictionary<string, string> Environment(string service) =>
        Keys("services", service, "environment").ToDictionary(name => name, name => Value("services", service, "environment", name)!);

    private YamlNode? Node(string[] path)
    {
        YamlNode? at = root;
        foreach (var key in path)
            at = at is YamlMappingNode map && map.Children.TryGetValue(new YamlScalarNode(key), out var next) ? next : null;
        return at;
    }

    private string Text(YamlNode node) =>
        Reference().Replace(((YamlScalarNode)node).Value ?? "", Replacement).Replace("$$", "$", StringComparison.Ordinal);

    private string Replacement(Match match)
    {
        var given = environment.GetValueOrDefault(match.Groups["name"].Value);
        return string.IsNullOrEmpty(given) ? match.Groups["default"].Value : given;
    }

    [GeneratedRegex(@"(?<!\$)\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?<default>[^}]*))?[^}]*\}")]
    private static partial Regex Reference();
}
