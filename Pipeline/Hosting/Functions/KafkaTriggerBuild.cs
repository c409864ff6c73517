using OrdersStream.Configuration;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// How the Kafka trigger of this build talks to the brokers. The platform wants it as constants of an attribute, so that it cannot be
/// configured; what is configured must therefore agree with the build.
/// </summary>
/// <param name="SecurityProtocol">As <c>kafka.security_protocol</c> has it.</param>
/// <param name="SaslMechanism">As <c>kafka.sasl_mechanism</c> has it; null: no SASL.</param>
public sealed record KafkaTriggerBuild(string SecurityProtocol, string? SaslMechanism)
{
    /// <summary>The build without any option.</summary>
    public static KafkaTriggerBuild Default { get; } = new("plaintext", null);

    /// <param name="protocol">As the platform names it: <c>SaslSsl</c>.</param>
    /// <param name="mechanism">As the platform names it: <c>ScramSha512</c>; <c>NotSet</c>: no SASL.</param>
    public static KafkaTriggerBuild Of(string protocol, string mechanism) =>
        new(Named("kafka.security_protocol", protocol) ?? Default.SecurityProtocol, Named("kafka.sasl_mechanism", mechanism));

    internal bool UsesTls => SecurityProtocol.EndsWith("ssl", StringComparison.Ordinal);

    /// <summary>The build's options that make this trigger.</summary>
    internal string Options => SaslMechanism is null
        ? $"-p:KafkaSecurity={Words(SecurityProtocol)}"
        : $"-p:KafkaSecurity={Words(SecurityProtocol)} -p:KafkaMechanism={Words(SaslMechanism)}";

    private static string? Named(string key, string name) => SettingsReference.Get(key).OneOf.FirstOrDefault(word => Words(word) == name);

    private static string Words(string name) =>
        string.Concat(name.Split('_', '-').Select(word => char.ToUpperInvariant(word[0]) + word[1..].ToLowerInvariant()));
}
