using System.Globalization;
using System.Text;

namespace OrdersStream.Configuration;

/// <summary>The configuration as YAML that can be loaded again, secrets masked (invariant 9).</summary>
internal static class ConfigurationPrinter
{
    public static string Print(PipelineOptions options) =>
        string.Join('\n', SettingsReference.Sections.Select(s => $"{s.Name}:\n{PrintSection(s, s.Property.GetValue(options)!, "  ")}"));

    /// <summary>For a record's ToString: the one that the compiler would make shows passwords.</summary>
    public static string PrintSection(string name, object section) => PrintSection(SettingsReference.Section(name)!, section, "").TrimEnd();

    private static string PrintSection(SettingsSection section, object values, string indent)
    {
        var text = new StringBuilder();
        foreach (var setting in section.Settings)
            text.Append(indent).Append(setting.Key).Append(": ").Append(Value(setting, setting.Property.GetValue(values))).Append('\n');
        return text.ToString();
    }

    internal static string Value(SettingInfo setting, object? value) => value switch
    {
        null or "" => "\"\"",
        _ when setting.Secret => Quote(ShownValue.Mask),
        string text => Quote(setting.Key == "jdbc_url" ? WithoutParameters(text) : text),
        IReadOnlyDictionary<string, string> map =>
            $"{{{string.Join(", ", map.Select(pair => $"{Quote(pair.Key)}: {Quote(pair.Value)}"))}}}",
        IReadOnlyList<string> items => $"[{string.Join(", ", items.Select(Quote))}]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new InvalidOperationException($"{setting.Name} has a type that cannot be printed"),
    };

    /// <summary>The loader's own URL has none; options that a program built may have.</summary>
    private static string WithoutParameters(string url)
    {
        var question = url.IndexOf('?', StringComparison.Ordinal);
        return question < 0 ? url : url[..question];
    }

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text.Replace("${", "$${", StringComparison.Ordinal))
        {
            if (c is '"' or '\\') quoted.Append('\\').Append(c);
            else if (char.IsControl(c) || c is '\u2028' or '\u2029') quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
            else quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }
}
