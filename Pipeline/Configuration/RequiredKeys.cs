namespace OrdersStream.Configuration;

/// <summary>Keys without which there is no pipeline.</summary>
internal static class RequiredKeys
{
    public static void Check(string path, YamlSource.Content file, ResolvedSettings resolved, FaultList faults)
    {
        foreach (var section in SettingsReference.Sections)
        {
            var missing = section.Settings.Where(s => s.Required && !resolved.IsGiven(s)).ToList();
            if (missing.Count == 0) continue;
            if (file.Sections.TryGetValue(section.Name, out var origin))
                foreach (var setting in missing) faults.Add(origin, $"{section.Name} lacks the key '{setting.Key}'{Instead(setting)}: {setting.Meaning}");
            else
                faults.Add(Origin.File($"{path}:1:1"), $"section '{section.Name}' is missing; it needs {string.Join(", ", missing.Select(s => s.Key))}");
        }
    }

    private static string Instead(SettingInfo setting) =>
        setting.RequiredUnless is null ? "" : $" (and {setting.RequiredUnless} does not give it)";
}
