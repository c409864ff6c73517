namespace OrdersStream.Configuration;

/// <summary>Finds what a misspelt name was meant to be.</summary>
internal static class NearestName
{
    /// <summary>What other tools call the same thing.</summary>
    private static readonly Dictionary<string, string> Elsewhere = new()
    {
        ["database"] = "db",
        ["dbname"] = "db",
        ["username"] = "user",
        ["bootstrapservers"] = "brokers",
        ["url"] = "jdbc_url",
        ["warn"] = "warning",
        ["info"] = "information",
        ["err"] = "error",
        ["fatal"] = "critical",
        ["off"] = "none",
    };

    /// <summary>The candidate with the fewest edits, or null where more than a third of the name would have to change.</summary>
    public static string? Of(string name, IEnumerable<string> candidates)
    {
        if (name.Length > 64) return null;
        var folded = SettingsReference.Fold(name);
        var known = candidates.ToList();
        if (Elsewhere.TryGetValue(folded, out var ours) && known.Contains(ours)) return ours;
        return known
            .Select(c => (Name: c, Edits: Distance(folded, SettingsReference.Fold(c)), Limit: Math.Max(folded.Length, c.Length) / 3))
            .Where(c => c.Edits <= Math.Max(1, c.Limit))
            .OrderBy(c => c.Edits).Select(c => c.Name).FirstOrDefault();
    }

    /// <summary><c>; did you mean 'table'?</c>, or nothing.</summary>
    public static string Suggestion(string name, IEnumerable<string> candidates) =>
        Of(name, candidates) is { } nearest ? $"; did you mean '{nearest}'?" : "";

    /// <summary>Insertions, deletions, replacements and swaps of neighbours.</summary>
    private static int Distance(string a, string b)
    {
        var table = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++) table[i, 0] = i;
        for (var j = 0; j <= b.Length; j++) table[0, j] = j;
        for (var i = 1; i <= a.Length; i++)
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = table[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                table[i, j] = Math.Min(replaced, Math.Min(table[i - 1, j], table[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    table[i, j] = Math.Min(table[i, j], table[i - 2, j - 2] + 1);
            }
        return table[a.Length, b.Length];
    }
}

/// <summary>What to say of a key that does not exist.</summary>
internal static class UnknownKey
{
    public static string Message(SettingsSection section, string key) =>
        $"unknown key {ShownValue.Of(key)} in {section.Name}{Suggestion(section, key)}";

    public static SettingsSection? SectionOf(string key) =>
        SettingsReference.Sections.FirstOrDefault(s => s.Settings.Any(k => k.Key == key));

    private static string Suggestion(SettingsSection section, string key)
    {
        if (SectionOf(key) is { } owner && owner != section) return $"; it belongs to section {owner.Name}";
        var suggestion = NearestName.Suggestion(key, section.Settings.Select(s => s.Key));
        return suggestion != "" ? suggestion : $"; known are {string.Join(", ", section.Settings.Select(s => s.Key))}";
    }
}
