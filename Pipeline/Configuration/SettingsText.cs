using System.Text;

namespace OrdersStream.Configuration;

/// <summary>The reference as text: a YAML file of comments, which help prints and the shipped file repeats.</summary>
public static class SettingsText
{
    private const int Width = 120;

    /// <summary>Every key with its meaning, unit, range and default, commented out.</summary>
    public static string Describe()
    {
        var text = new StringBuilder();
        foreach (var section in SettingsReference.Sections)
        {
            if (text.Length > 0) text.Append('\n');
            text.Append("# ").Append(section.Meaning).Append('\n').Append(section.Name).Append(":\n");
            foreach (var setting in section.Settings)
                text.AppendJoin("", CommentOf(setting).Select(line => $"  {line}\n")).Append("  ").Append(LineOf(setting)).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>What to know of a key, as comment lines: its meaning, then range and default.</summary>
    public static IReadOnlyList<string> CommentOf(SettingInfo setting) =>
        [.. Wrap($"{setting.Meaning} {Facts(setting)}").Select(line => "# " + line)];

    /// <summary>The key as a comment with its default: uncommented, it changes nothing.</summary>
    public static string LineOf(SettingInfo setting) => $"# {setting.Key}: {ConfigurationPrinter.Value(setting, setting.Default)}";

    private static string Facts(SettingInfo setting)
    {
        var facts = new List<string>();
        if (setting.Range is { } range) facts.Add(range);
        if (setting.RequiredUnless is { } other) facts.Add($"required unless {other} gives it");
        else if (setting.Required) facts.Add("required");
        else if (setting.DefaultText != "") facts.Add($"default {setting.DefaultText}");
        return facts.Count == 0 ? "(Optional.)" : $"({Capitalised(string.Join("; ", facts))}.)";
    }

    private static string Capitalised(string text) =>
        text.StartsWith("default", StringComparison.Ordinal) || text.StartsWith("required", StringComparison.Ordinal)
            ? char.ToUpperInvariant(text[0]) + text[1..]
            : text;

    private static IEnumerable<string> Wrap(string text)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width)
            {
                yield return line.ToString();
                line.Clear();
            }
            if (line.Length > 0) line.Append(' ');
            line.Append(word);
        }
        yield return line.ToString();
    }
}
