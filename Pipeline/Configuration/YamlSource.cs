using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace OrdersStream.Configuration;

/// <summary>
/// Reads the configuration file: sections that hold keys that hold a scalar or a list of scalars, and nothing else of
/// YAML. Works on the parser's events, so that every fault has its position and no construct can surprise the binder.
/// </summary>
internal sealed partial class YamlSource
{
    private const int DepthMax = 64;
    private const string Remedy = "write the value out, or use ${NAME}";

    private readonly SourceText source;
    private readonly FaultList faults;
    private readonly Parser parser;
    private readonly List<GivenValue> values = [];
    private readonly Dictionary<string, Origin> sections = [];

    private YamlSource(SourceText source, FaultList faults)
    {
        this.source = source;
        this.faults = faults;
        parser = new Parser(new Scanner(new StringReader(source.Text), skipComments: true));
    }

    /// <summary>What the file holds.</summary>
    /// <param name="Values">Values of known keys.</param>
    /// <param name="Sections">Where each section that is there begins.</param>
    public sealed record Content(IReadOnlyList<GivenValue> Values, IReadOnlyDictionary<string, Origin> Sections);

    /// <summary>Null when the file cannot be read as YAML: what is missing from it is then unknown.</summary>
    public static Content? Read(string path, FaultList faults)
    {
        if (SourceText.Read(path, faults) is not { } text) return null;
        var reader = new YamlSource(text, faults);
        try
        {
            reader.ReadStream();
            return new Content(reader.values, reader.sections);
        }
        catch (YamlException e)
        {
            reader.ReportMalformed(e);
            return null;
        }
    }

    private void ReportMalformed(YamlException e)
    {
        // The parser tells the beginning of the mapping, not where the tab is.
        var tab = IndentingTab().Match(source.Text);
        if (e.Message.Contains("tab", StringComparison.Ordinal) && tab.Success)
        {
            var line = source.Text.AsSpan(0, tab.Index).Count('\n') + 1;
            var mark = new Mark(tab.Index, line, tab.Length);
            faults.Add(Place(mark, mark), "not valid YAML: a tab in the indentation; use spaces");
            return;
        }
        // The parser's texts name constructs, never content: safe to show beside a secret.
        var fault = $"{char.ToLowerInvariant(e.Message[0])}{e.Message[1..].TrimEnd('.')}";
        faults.Add(Place(e.Start, e.End), $"not valid YAML: {fault}; quote a value that holds special characters");
    }

    [GeneratedRegex("(?m)^ *\t")]
    private static partial Regex IndentingTab();

    private void ReadStream()
    {
        Next(); // stream start
        if (Next() is not DocumentStart) return; // empty: every section is missing
        ReadRoot(Next());
        Next(); // document end
        if (Next() is DocumentStart second) faults.Add(Place(second), "a second YAML document; the configuration is one");
    }

    private void ReadRoot(ParsingEvent root)
    {
        if (root is Scalar { Style: ScalarStyle.Plain, Value: "" }) return;
        if (!IsBlock(root))
        {
            var sectionNames = string.Join(", ", SettingsReference.Sections.Select(s => s.Name));
            faults.Add(Place(root), $"the file must hold sections ({sectionNames}), not {Describe(root)}");
            Skip(root);
            return;
        }
        RefuseProperties(root);
        ReadMapping("", (name, origin, node) =>
        {
            if (SettingsReference.Section(name) is { } section)
            {
                sections[name] = origin;
                ReadSection(section, node);
            }
            else
            {
                faults.Add(origin, UnknownSection(name));
                Skip(node);
            }
        });
    }

    private void ReadSection(SettingsSection section, ParsingEvent node)
    {
        if (IsNull(node)) return;
        if (!IsBlock(node))
        {
            faults.Add(Place(node),
                $"section {section.Name} must hold keys, each on a line of its own ('key: value'), not {Describe(node)}");
            Skip(node);
            return;
        }
        if (!RefuseProperties(node)) { Skip(node); return; }
        ReadMapping(section.Name, (key, origin, value) =>
        {
            if (section.Settings.FirstOrDefault(s => s.Key == key) is { } setting) ReadValue(setting, value);
            else
            {
                faults.Add(origin, UnknownKey.Message(section, key));
                Skip(value);
            }
        });
    }

    /// <summary>Reads a mapping whose start was read: scalar keys, each once.</summary>
    private void ReadMapping(string section, Action<string, Origin, ParsingEvent> read)
    {
        var seen = new Dictionary<string, Origin>();
        for (var key = Next(); key is not MappingEnd; key = Next())
        {
            var origin = Place(key);
            if (key is not Scalar { Value: var name } || !RefuseProperties(key))
            {
                if (key is not Scalar) faults.Add(origin, key is AnchorAlias ? Aliases : $"a key must be a word, not {Describe(key)}");
                Skip(key);
                Skip(Next());
            }
            else if (!origin.BeginsItsLine)
            {
                // Not shown: in some malformed texts the parser takes a value for a key, and the value may be a secret.
                faults.Add(origin, "a key must begin its line, and be followed by a colon and a space");
                Skip(Next());
            }
            else if (name == "<<")
            {
                faults.Add(origin, $"merge keys (<<) are not supported; {Remedy}");
                Skip(Next());
            }
            else
            {
                var known = seen.TryAdd(name, origin);
                if (!known)
                    faults.Add(origin, $"'{Shown(name)}' is given twice{(section == "" ? "" : " in " + section)}; first at {seen[name]}");
                var value = Next();
                if (known) read(name, origin, value);
                else Skip(value);
            }
        }
    }

    private void ReadValue(SettingInfo setting, ParsingEvent node)
    {
        var origin = Place(node);
        var before = faults.Count;
        var items = new List<string>();
        if (node is AnchorAlias) faults.Add(origin, Aliases);
        else if (!RefuseProperties(node)) Skip(node);
        else if (IsNull(node)) faults.Add(origin, $"{setting.Name} has no value; give one, or remove the line");
        else if (node is SequenceStart && setting.Kind == SettingKind.List) ReadList(setting, items);
        else if (node is MappingStart && setting.Kind == SettingKind.Map) ReadMap(setting, items);
        else if (node is not Scalar)
        {
            var several = node is SequenceStart && setting.Meaning.Contains("comma-separated", StringComparison.Ordinal);
            faults.Add(origin,
                $"{setting.Name} must be one value, not {Describe(node)}{(several ? "; write them comma-separated in one text" : "")}");
            Skip(node);
        }
        values.Add(new GivenValue(setting, (node as Scalar)?.Value ?? "", origin, node is SequenceStart or MappingStart ? items : null)
        {
            IsUnusable = faults.Count > before,
        });
    }

    private void ReadList(SettingInfo setting, List<string> items)
    {
        for (var node = Next(); node is not SequenceEnd; node = Next())
        {
            if (node is Scalar scalar && !IsNull(node) && RefuseProperties(node)) items.Add(scalar.Value);
            else
            {
                if (node is AnchorAlias) faults.Add(Place(node), Aliases);
                else if (node is not Scalar || IsNull(node))
                    faults.Add(Place(node), $"an element of {setting.Name} must be one value, not {Describe(node)}");
                Skip(node);
            }
        }
    }

    private void ReadMap(SettingInfo setting, List<string> items)
    {
        for (var key = Next(); key is not MappingEnd; key = Next())
        {
            if (key is not Scalar) Skip(key);
            var value = Next();
            if (key is Scalar name && value is Scalar text && !IsNull(value))
            {
                if (RefuseProperties(key) && RefuseProperties(value)) items.Add($"{name.Value}={text.Value}");
                continue;
            }
            faults.Add(Place(key),
                $"{setting.Name} must hold names, each with one value, in quotes where it has a comma, as in {{amount: \"18,4\"}}");
            Skip(value);
        }
    }

    private const string Aliases = "aliases (*name) are not supported; " + Remedy;

    /// <summary>Anchors and tags: their names are not shown, since a secret that begins with &amp; or ! looks like one.</summary>
    private bool RefuseProperties(ParsingEvent node)
    {
        if (node is not NodeEvent { } n || (n.Anchor.IsEmpty && n.Tag.IsEmpty)) return true;
        faults.Add(Place(node), n.Anchor.IsEmpty
            ? "tags (!name) are not supported; remove it, or quote a value that begins with !"
            : "anchors (&name) are not supported; remove it, or quote a value that begins with &");
        return false;
    }

    private ParsingEvent Next()
    {
        try
        {
            if (!parser.MoveNext()) throw Malformed("The file ends early");
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            // The parser gives up on some malformed texts without saying where.
            throw Malformed("The text after this place cannot be read");
        }
        return parser.Current!;
    }

    /// <summary>Goes to the end of a node whose first event was read; a counter, not recursion: depth is the file's to choose.</summary>
    private void Skip(ParsingEvent node)
    {
        for (var depth = node.NestingIncrease; depth > 0; depth += Next().NestingIncrease)
            if (depth > DepthMax) throw Malformed("Nested too deeply");
    }

    private YamlException Malformed(string message)
    {
        var place = parser.Current?.End ?? new Mark(0, 1, 1);
        return new YamlException(place, place, message);
    }

    private Origin Place(ParsingEvent node) => Place(node.Start, node.End);

    private Origin Place(Mark start, Mark end) => Origin.InFile(source, start, end);

    private static bool IsNull(ParsingEvent node) =>
        node is Scalar { Style: ScalarStyle.Plain, Value: "" or "~" or "null" or "Null" or "NULL" } scalar
        && scalar.Tag.IsEmpty && scalar.Anchor.IsEmpty;

    /// <summary>
    /// A mapping of lines. In one of braces the parser takes a value for a key where a comma is missing, and so messages would show it.
    /// </summary>
    private static bool IsBlock(ParsingEvent node) => node is MappingStart { Style: MappingStyle.Block };

    private static string Describe(ParsingEvent node) => node switch
    {
        MappingStart { Style: MappingStyle.Flow } => "a mapping in braces",
        MappingStart => "a mapping",
        SequenceStart => "a list",
        AnchorAlias => "an alias",
        _ => IsNull(node) ? "nothing" : "a single value",
    };

    private static string UnknownSection(string name)
    {
        var suggestion = NearestName.Suggestion(name, SettingsReference.Sections.Select(s => s.Name));
        if (suggestion == "" && UnknownKey.SectionOf(name) is { } owner) suggestion = $"; the key '{name}' belongs to section {owner.Name}";
        if (suggestion == "") suggestion = $"; the sections are {string.Join(", ", SettingsReference.Sections.Select(s => s.Name))}";
        return $"unknown section '{Shown(name)}'{suggestion}";
    }

    private static string Shown(string name) => ShownValue.Of(name).Trim('\'');
}
