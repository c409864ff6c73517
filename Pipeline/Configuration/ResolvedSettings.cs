namespace OrdersStream.Configuration;

/// <summary>
/// What each key's value is after all sources: the later source wins key by key. jdbc_url stands for the keys it holds;
/// within one source it and they must agree, a later source's key wins over an earlier one's URL and the reverse.
/// </summary>
internal sealed class ResolvedSettings(FaultList faults)
{
    private readonly Dictionary<SettingInfo, Entry> entries = [];

    /// <param name="Value">Converted; null: as if not given, or <paramref name="IsBroken"/>.</param>
    private sealed record Entry(object? Value, GivenValue Given, bool IsBroken);

    public static ResolvedSettings From(IEnumerable<GivenValue> fromFirstToLast, Placeholders placeholders, FaultList faults)
    {
        var resolved = new ResolvedSettings(faults);
        var latest = new Dictionary<SettingInfo, GivenValue>();
        foreach (var value in fromFirstToLast) latest[value.Setting] = value;
        foreach (var value in latest.Values) resolved.Set(value, value.IsUnusable ? null : placeholders.Expand(value));
        placeholders.ReportMissing();
        resolved.TakeJdbcUrlApart();
        return resolved;
    }

    /// <summary>Given, if only with a value that cannot be used.</summary>
    public bool IsGiven(SettingInfo setting) => entries.TryGetValue(setting, out var entry) && (entry.IsBroken || entry.Value is not null);

    /// <summary>Where a usable value was given; null for a default or a value with a fault.</summary>
    public Origin? OriginOf(string name) =>
        entries.TryGetValue(SettingsReference.Get(name), out var entry) && !entry.IsBroken && entry.Value is not null
            ? entry.Given.Origin
            : null;

    /// <summary>A value was given and has a fault: what depends on it cannot be judged.</summary>
    public bool IsBroken(string name) => entries.TryGetValue(SettingsReference.Get(name), out var entry) && entry.IsBroken;

    /// <summary>Options with every usable value set and the defaults elsewhere.</summary>
    public PipelineOptions ToOptions()
    {
        var options = new PipelineOptions();
        foreach (var section in SettingsReference.Sections)
            foreach (var setting in section.Settings)
                if (entries.TryGetValue(setting, out var entry) && entry.Value is not null)
                    setting.Property.SetValue(section.Property.GetValue(options), entry.Value);
        var postgres = options.Postgres;
        var isUrl = postgres.JdbcUrl is not null && postgres.Host != "" && postgres.Db != "";
        var url = isUrl ? JdbcUrl.Format(postgres.Host, postgres.Port, postgres.Db) : null;
        return options with { Postgres = postgres with { JdbcUrl = url } };
    }

    private void Set(GivenValue given, GivenValue? expanded)
    {
        object? value = null;
        var usable = expanded is not null && ValueConverter.TryConvert(expanded, faults, out value);
        entries[given.Setting] = new Entry(value, given, !usable);
    }

    private void TakeJdbcUrlApart()
    {
        if (!entries.TryGetValue(SettingsReference.Get("postgres.jdbc_url"), out var url)) return;
        var readable = !url.IsBroken;
        if (url.Value is string text)
        {
            var parts = JdbcUrl.Read(url.Given with { Text = text }, faults, out readable);
            // A URL that a later source gives is meant whole: without a port it means the default one.
            var port = SettingsReference.Get("postgres.port");
            if (parts.All(p => p.Setting != port) && entries.TryGetValue(port, out var entry) && entry.Given.Layer < url.Given.Layer)
                entries.Remove(port);
            foreach (var part in parts) Merge(part);
        }
        if (readable) return;
        // The broken part may have held any of these: they are not missing.
        foreach (var name in new[] { "postgres.host", "postgres.port", "postgres.db" })
            entries.TryAdd(SettingsReference.Get(name), new Entry(null, url.Given, IsBroken: true));
    }

    private void Merge(GivenValue part)
    {
        var usable = ValueConverter.TryConvert(part, faults, out var value);
        if (!entries.TryGetValue(part.Setting, out var key) || key.Given.Layer < part.Layer || (key.Value is null && !key.IsBroken))
            entries[part.Setting] = new Entry(value, part, !usable);
        else if (usable && !key.IsBroken && key.Given.Layer == part.Layer && !Agree(part.Setting, key.Value, value))
            faults.Add(key.Given.Origin, Disagreement(key.Given, key.Value, part, value));
    }

    private static bool Agree(SettingInfo setting, object? key, object? part) =>
        part is null
        || (setting.Key == "host" ? string.Equals((string?)key, (string)part, StringComparison.OrdinalIgnoreCase) : Equals(key, part));

    private static string Disagreement(GivenValue key, object? keyValue, GivenValue part, object? partValue) => key.Setting.Secret
        ? $"{key.Label} differs from {part.Label} ({part.Origin}); remove one of them"
        : $"{key.Label} is {ShownValue.Of($"{keyValue}")}, but {part.Label} ({part.Origin}) is {ShownValue.Of($"{partValue}")}; "
            + "make them agree, or remove one";
}
