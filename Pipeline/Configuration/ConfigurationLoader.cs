namespace OrdersStream.Configuration;

/// <summary>One fault of the configuration and where it stands.</summary>
/// <param name="Where"><c>file:line:column</c>, the name of an environment variable, or the option of the command line.</param>
/// <param name="Message">What is wrong, the value seen (never a secret's), what would be right.</param>
public sealed record ConfigurationFault(string Where, string Message)
{
    public override string ToString() => $"{Where}: {Message}";
}

/// <summary>The configuration cannot be used; all its faults at once.</summary>
public sealed class ConfigurationException(IReadOnlyList<ConfigurationFault> faults)
    : Exception(string.Join(Environment.NewLine, faults))
{
    public IReadOnlyList<ConfigurationFault> Faults { get; } = faults;
}

// Contract.
public static class ConfigurationLoader
{
    /// <summary>Reads the YAML file, then environment variables (<c>Postgres__Port</c>), then overrides (<c>postgres.port=5433</c>); the later wins.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides"><c>section.key=value</c>, in order.</param>
    /// <param name="environment">The environment; also the source of <c>${NAME}</c> and of ROLLNUMBER.</param>
    /// <param name="rollnumber">Replaces <c>&lt;rollnumber&gt;</c>; null: the environment's ROLLNUMBER.</param>
    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public static PipelineOptions Load(string path, IReadOnlyList<string> overrides, IReadOnlyDictionary<string, string> environment, string? rollnumber) =>
        throw new NotImplementedException();

    /// <summary>The configuration in force as YAML, secrets masked.</summary>
    public static string Print(PipelineOptions options) => throw new NotImplementedException();
}
