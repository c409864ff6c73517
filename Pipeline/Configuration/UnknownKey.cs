namespace OrdersStream.Configuration;

/// <summary>What to say of a key that does not exist.</summary>
internal static class UnknownKey
{
    public static string Message(SettingsSection section, string key) =>
        $"unknown key {ShownValue.Of(key)} in {section.Name}{Hint(section, key)}";

    public static SettingsSection? SectionOf(string key) =>
        SettingsReference.Sections.FirstOrDefault(s => s.Settings.Any(k => k.Key == key));

    public static string Hint(SettingsSection section, string key)
    {
        if (SectionOf(key) is { } owner && owner != section) return $"; it belongs to section {owner.Name}";
        var hint = NearestName.Hint(key, section.Settings.Select(s => s.Key));
        return hint != "" ? hint : $"; known are {string.Join(", ", section.Settings.Select(s => s.Key))}";
    }
}
