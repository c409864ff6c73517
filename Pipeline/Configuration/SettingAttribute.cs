namespace OrdersStream.Configuration;

/// <summary>
/// What one key (or, on a property of <see cref="PipelineOptions"/>, one section) of the YAML file means. The loader checks
/// <see cref="Min"/>, <see cref="Max"/> and <see cref="OneOf"/>; help, error messages and the shipped file's comments show the rest.
/// The default is the property's own initial value.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(string meaning) : Attribute
{
    /// <summary>One sentence, as a user would want to read it.</summary>
    public string Meaning { get; } = meaning;

    /// <summary>The unit of a number: bytes, seconds, rows.</summary>
    public string? Unit { get; init; }

    /// <summary>Least allowed number, inclusive.</summary>
    public long Min { get; init; } = long.MinValue;

    /// <summary>Greatest allowed number, inclusive.</summary>
    public long Max { get; init; } = long.MaxValue;

    /// <summary>The allowed words, where the value is one of a few.</summary>
    public string[]? OneOf { get; init; }

    /// <summary>Must be given (there is no default).</summary>
    public bool Required { get; init; }

    /// <summary>Must be given, unless this other key of the section stands for it.</summary>
    public string? RequiredUnless { get; init; }

    /// <summary>Never shown in a log, an error or <c>--print-config</c>.</summary>
    public bool Secret { get; init; }
}
