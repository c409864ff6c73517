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
