namespace OrdersStream.Triggers;

/// <summary>
/// How the Kafka trigger of this build talks to the brokers. The platform wants it as constants of an attribute, so that it cannot be
/// configured; what is configured must therefore agree with the build.
/// </summary>
/// <param name="SecurityProtocol">As <c>kafka.security_protocol</c> has it.</param>
/// <param name="SaslMechanism">As <c>kafka.sasl_mechanism</c> has it; null: no SASL.</param>
public sealed record TriggerBuild(string SecurityProtocol, string? SaslMechanism)
{
    /// <summary>The build without any option.</summary>
    public static TriggerBuild Default { get; } = new("plaintext", null);

    internal bool UsesTls => SecurityProtocol.EndsWith("ssl", StringComparison.Ordinal);

    /// <summary>The build's options that make this trigger.</summary>
    internal string Options => SaslMechanism is null
        ? $"-p:KafkaSecurity={Words(SecurityProtocol)}"
        : $"-p:KafkaSecurity={Words(SecurityProtocol)} -p:KafkaMechanism={Words(SaslMechanism)}";

    private static string Words(string name) =>
        string.Concat(name.Split('_', '-').Select(word => char.ToUpperInvariant(word[0]) + word[1..].ToLowerInvariant()));
}
