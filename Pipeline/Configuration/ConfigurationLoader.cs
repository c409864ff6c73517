using System.Collections;

namespace OrdersStream.Configuration;

/// <summary>From a YAML file, the environment and the command line to checked options, or to all that is wrong with them.</summary>
public static class ConfigurationLoader
{
    /// <summary>
    /// Reads the YAML file, then environment variables (<c>Postgres__Port</c>), then overrides (<c>postgres.port=5433</c>); the later
    /// wins.
    /// </summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides"><c>section.key=value</c>, in order.</param>
    /// <param name="environment">The environment; also the source of <c>${NAME}</c> and of ROLLNUMBER.</param>
    /// <param name="rollnumber">Replaces <c>&lt;rollnumber&gt;</c>; null: the environment's ROLLNUMBER.</param>
    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public static PipelineOptions Load(
        string path, IReadOnlyList<string> overrides, IReadOnlyDictionary<string, string> environment, string? rollnumber) =>
        Load(path, overrides, environment, rollnumber, null, null);

    /// <param name="home">Where relative paths begin; null: in the working folder.</param>
    /// <param name="moreChecks">What else must hold; its faults are told with the others.</param>
    internal static PipelineOptions Load(
        string path, IReadOnlyList<string> overrides, IReadOnlyDictionary<string, string> environment, string? rollnumber,
        string? home, Action<PipelineOptions, ResolvedSettings, FaultList>? moreChecks)
    {
        var faults = new FaultList();
        var file = YamlSource.Read(path, faults);
        IEnumerable<GivenValue> given = [
            .. file?.Values ?? [],
            .. EnvironmentSource.Read(environment, faults),
            .. CommandLineSource.Read(overrides, faults)];
        var placeholders = new Placeholders(environment, RollNumber.From(rollnumber, environment), faults);
        var resolved = ResolvedSettings.From(given, placeholders, faults);
        // Of a file that cannot be read, nothing can be said to be missing.
        if (file is not null) CheckRequiredKeys(path, file, resolved, faults);
        var options = resolved.ToOptions();
        if (home is not null) options = RelativePaths.From(home, options);
        new ConfigurationChecks(options, resolved, faults).Run();
        if (file is not null) moreChecks?.Invoke(options, resolved, faults);
        return faults.Count == 0 ? options : throw new ConfigurationException(faults.Sorted());
    }

    /// <summary>
    /// The environment of this process, as
    /// <see cref="Load(string, IReadOnlyList{string}, IReadOnlyDictionary{string, string}, string?)"/> takes it.
    /// </summary>
    public static Dictionary<string, string> ProcessEnvironment() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");

    /// <summary>The configuration in force as YAML, secrets masked.</summary>
    public static string Print(PipelineOptions options) => ConfigurationPrinter.Print(options);

    private static void CheckRequiredKeys(string path, YamlSource.Content file, ResolvedSettings resolved, FaultList faults)
    {
        foreach (var section in SettingsReference.Sections)
        {
            var missing = section.Settings.Where(s => s.Required && !resolved.IsGiven(s)).ToList();
            if (missing.Count == 0) continue;
            if (file.Sections.TryGetValue(section.Name, out var origin))
                foreach (var setting in missing)
                    faults.Add(origin, $"{section.Name} lacks the key '{setting.Key}'{Instead(setting)}: {setting.Meaning}");
            else
                faults.Add(Origin.File($"{path}:1:1"),
                    $"section '{section.Name}' is missing; it needs {string.Join(", ", missing.Select(s => s.Key))}");
        }
    }

    private static string Instead(SettingInfo setting) =>
        setting.RequiredUnless is null ? "" : $" (and {setting.RequiredUnless} does not give it)";
}
