using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;

namespace OrdersStream.Configuration;

/// <summary>How a key's value is written.</summary>
public enum SettingKind
{
    Text,
    Number,
    /// <summary>A YAML list, or one text with commas.</summary>
    List,
    /// <summary>A YAML mapping, or one text: <c>name=value;name=value</c>.</summary>
    Map,
}

/// <summary>One key of the configuration: all that is known of it, read from its property.</summary>
public sealed class SettingInfo
{
    private readonly SettingAttribute attribute;

    internal SettingInfo(string section, PropertyInfo property, SettingAttribute attribute, object defaults)
    {
        this.attribute = attribute;
        Section = section;
        Property = property;
        Key = SettingsReference.ToSnakeCase(property.Name);
        Default = property.GetValue(defaults);
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        Kind = type == typeof(string) ? SettingKind.Text
            : type == typeof(int) || type == typeof(long) ? SettingKind.Number
            : type == typeof(IReadOnlyDictionary<string, string>) ? SettingKind.Map
            : SettingKind.List;
    }

    public string Section { get; }
    public string Key { get; }

    /// <summary><c>postgres.port</c>.</summary>
    public string Name => $"{Section}.{Key}";

    public SettingKind Kind { get; }
    public string Meaning => attribute.Meaning;
    public string? Unit => attribute.Unit;
    public long Min => attribute.Min;
    public long Max => attribute.Max;
    public IReadOnlyList<string> OneOf => attribute.OneOf ?? [];
    public bool Required => attribute.Required || RequiredUnless is not null;
    public string? RequiredUnless => attribute.RequiredUnless;
    public bool Secret => attribute.Secret;

    /// <summary>The property's initial value.</summary>
    public object? Default { get; }

    /// <summary>An empty value stands for "not given".</summary>
    public bool MayBeEmpty => Default is null || Kind is SettingKind.List or SettingKind.Map;

    /// <summary>The default as the YAML file would have it; empty where there is none.</summary>
    public string DefaultText => Default switch
    {
        IReadOnlyList<string> items => string.Join(',', items),
        IReadOnlyDictionary<string, string> map => string.Join(';', map.Select(pair => $"{pair.Key}={pair.Value}")),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        var text => text?.ToString() ?? "",
    };

    /// <summary>What is allowed: <c>1 to 65535</c>, <c>none, gzip, snappy, lz4 or zstd</c>; null for free text.</summary>
    public string? Range => Kind == SettingKind.Number
        ? string.Create(CultureInfo.InvariantCulture, $"{Min} to {Max}{(Unit is null ? "" : " " + Unit)}")
        : OneOf.Count switch
        {
            0 => null,
            1 => OneOf[0],
            _ => string.Join(", ", OneOf.SkipLast(1)) + " or " + OneOf[^1],
        };

    internal PropertyInfo Property { get; }
}

/// <summary>One section of the configuration.</summary>
public sealed record SettingsSection(string Name, string Meaning, ImmutableArray<SettingInfo> Settings)
{
    internal PropertyInfo Property { get; init; } = null!;
}

/// <summary>Every key of the configuration in the file's order: what help, the documents and the loader go by.</summary>
public static class SettingsReference
{
    public static ImmutableArray<SettingsSection> Sections { get; } = ReadSections();

    /// <summary>The section of a name, or null.</summary>
    public static SettingsSection? Section(string name) => Sections.FirstOrDefault(s => s.Name == name);

    /// <summary>The key <c>section.key</c>.</summary>
    public static SettingInfo Get(string name) => Sections.SelectMany(s => s.Settings).First(s => s.Name == name);

    internal static string ToSnakeCase(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : c.ToString()));

    /// <summary>What the environment and the command line compare by: case and underscores do not count.</summary>
    internal static string Fold(string name) => name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant();

    private static ImmutableArray<SettingsSection> ReadSections()
    {
        var options = new PipelineOptions();
        return [.. from property in typeof(PipelineOptions).GetProperties()
                   let attribute = property.GetCustomAttribute<SettingAttribute>()
                   where attribute is not null
                   let name = ToSnakeCase(property.Name)
                   let settings = ReadSettings(name, property.GetValue(options)!)
                   select new SettingsSection(name, attribute.Meaning, settings) { Property = property }];
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "A program that is trimmed keeps this assembly whole.")]
    private static ImmutableArray<SettingInfo> ReadSettings(string section, object defaults) =>
        [.. from property in defaults.GetType().GetProperties()
            let attribute = property.GetCustomAttribute<SettingAttribute>()
            where attribute is not null
            select new SettingInfo(section, property, attribute, defaults)];
}
