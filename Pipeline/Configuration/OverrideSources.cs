namespace OrdersStream.Configuration;

/// <summary>
/// Environment variables in .NET's convention, <c>Postgres__Port</c>: section, two underscores, key. Case does not count, nor
/// do underscores inside the key, so <c>POSTGRES__JDBC_URL</c> and <c>Postgres__JdbcUrl</c> are the same.
/// </summary>
internal static class EnvironmentSource
{
    public static IReadOnlyList<GivenValue> Read(IReadOnlyDictionary<string, string> environment, FaultList faults)
    {
        var values = new Dictionary<SettingInfo, (GivenValue Value, string Name)>();
        foreach (var (name, text) in environment.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (SectionOf(name) is not { } section) continue;
            var key = name[(section.Name.Length + 2)..];
            var origin = Origin.Variable(name);
            if (section.Settings.FirstOrDefault(s => SettingsReference.Fold(s.Key) == SettingsReference.Fold(key)) is not { } setting)
                faults.Add(origin, $"names no key of {section.Name}{Suggestion(section, key)}");
            else if (values.TryGetValue(setting, out var first) && first.Value.Text != text)
                faults.Add(origin, $"and {first.Name} both give {setting.Name}, with different values; unset one");
            else
                values[setting] = (new GivenValue(setting, text, origin), name);
        }
        return [.. values.Values.Select(v => v.Value)];
    }

    private static SettingsSection? SectionOf(string variable) =>
        SettingsReference.Sections.FirstOrDefault(s => variable.StartsWith(s.Name + "__", StringComparison.OrdinalIgnoreCase));

    private static string Suggestion(SettingsSection section, string key)
    {
        var keys = section.Settings.Select(s => s.Key);
        return NearestName.Of(key, keys) is { } nearest
            ? $"; did you mean {Capitalised(section.Name)}__{section.Settings.First(s => s.Key == nearest).Property.Name}?"
            : $"; known are {string.Join(", ", keys)}";
    }

    private static string Capitalised(string name) => char.ToUpperInvariant(name[0]) + name[1..];
}

/// <summary><c>--set section.key=value</c>; the last one for a key wins.</summary>
internal static class CommandLineSource
{
    public static IReadOnlyList<GivenValue> Read(IReadOnlyList<string> overrides, FaultList faults)
    {
        var values = new Dictionary<SettingInfo, GivenValue>();
        for (var i = 0; i < overrides.Count; i++)
            if (Parse(overrides[i], i, faults) is { } value) values[value.Setting] = value;
        return [.. values.Values];
    }

    private static GivenValue? Parse(string text, int order, FaultList faults)
    {
        // The name ends where it can no longer be one: what follows may be a secret, whatever separates it.
        var end = text.AsSpan().IndexOfAnyExcept(NameCharacters);
        var name = end < 0 ? text : text[..end];
        var origin = Origin.Option($"--set {name}", order);
        if (end < 0 || text[end] != '=')
        {
            faults.Add(origin, "must be section.key=value");
            return null;
        }
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var sectionName = dot < 0 ? name : name[..dot];
        var key = dot < 0 ? "" : name[(dot + 1)..];
        if (SettingsReference.Section(sectionName.ToLowerInvariant()) is not { } section)
        {
            var suggestion = NearestName.Suggestion(sectionName, SettingsReference.Sections.Select(s => s.Name));
            faults.Add(origin, $"unknown section '{sectionName}'{suggestion} (must be section.key=value)");
            return null;
        }
        if (section.Settings.FirstOrDefault(s => SettingsReference.Fold(s.Key) == SettingsReference.Fold(key)) is { } setting)
            return new GivenValue(setting, text[(end + 1)..], origin);
        faults.Add(origin, UnknownKey.Message(section, key));
        return null;
    }

    private static readonly System.Buffers.SearchValues<char> NameCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
}
