using Microsoft.Azure.Functions.Worker;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.FunctionApp;

/// <summary>
/// How the Kafka trigger talks to the brokers. The attribute takes constants only, so the build chooses them:
/// <c>-p:KafkaSecurity=SaslSsl -p:KafkaMechanism=ScramSha512</c>; without any, plain text.
/// </summary>
internal static class KafkaSecurity
{
#if KAFKA_SASLSSL
    public const BrokerProtocol Protocol = BrokerProtocol.SaslSsl;
#elif KAFKA_SASLPLAINTEXT
    public const BrokerProtocol Protocol = BrokerProtocol.SaslPlaintext;
#elif KAFKA_SSL
    public const BrokerProtocol Protocol = BrokerProtocol.Ssl;
#else
    public const BrokerProtocol Protocol = BrokerProtocol.Plaintext;
#endif

#if KAFKA_SCRAMSHA512
    public const BrokerAuthenticationMode Mechanism = BrokerAuthenticationMode.ScramSha512;
#elif KAFKA_SCRAMSHA256
    public const BrokerAuthenticationMode Mechanism = BrokerAuthenticationMode.ScramSha256;
#elif KAFKA_PLAIN
    public const BrokerAuthenticationMode Mechanism = BrokerAuthenticationMode.Plain;
#elif KAFKA_SASLSSL || KAFKA_SASLPLAINTEXT
#error KafkaSecurity with SASL needs KafkaMechanism: Plain, ScramSha256 or ScramSha512
#else
    public const BrokerAuthenticationMode Mechanism = BrokerAuthenticationMode.NotSet;
#endif

    /// <summary>What the configuration is compared with.</summary>
    public static KafkaTriggerBuild Build { get; } = KafkaTriggerBuild.Of(Protocol.ToString(), Mechanism.ToString());
}
