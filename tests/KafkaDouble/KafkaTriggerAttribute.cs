using Microsoft.Azure.Functions.Worker.Converters;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Azure.Functions.Worker.Extensions.Kafka;

namespace Microsoft.Azure.Functions.Worker;

/// <summary>What the SDK makes the trigger's metadata of.</summary>
[InputConverter(typeof(KafkaRecordConverter))]
[ConverterFallbackBehavior(ConverterFallbackBehavior.Default)]
[BindingCapabilities(KnownBindingCapabilities.FunctionLevelRetry)]
public sealed class KafkaTriggerAttribute(string brokerList, string topic) : TriggerBindingAttribute, ISupportCardinality
{
    public string BrokerList { get; } = brokerList;
    public string Topic { get; } = topic;
    public string ConsumerGroup { get; set; }

    [DefaultValue(false)]
    public bool IsBatched { get; set; }

    public KafkaMessageKeyType KeyDataType { get; set; } = KafkaMessageKeyType.String;
    public BrokerProtocol Protocol { get; set; } = BrokerProtocol.NotSet;
    public BrokerAuthenticationMode AuthenticationMode { get; set; } = BrokerAuthenticationMode.NotSet;
    public string Username { get; set; }
    public string Password { get; set; }
    public string SslCaLocation { get; set; }
    public string SslCertificateLocation { get; set; }
    public string SslKeyLocation { get; set; }
    public string SslKeyPassword { get; set; }
    public long LagThreshold { get; set; } = 1_000;

    Cardinality ISupportCardinality.Cardinality
    {
        get => IsBatched ? Cardinality.Many : Cardinality.One;
        set => IsBatched = value == Cardinality.Many;
    }
}

public enum KafkaMessageKeyType
{
    Int,
    Long,
    String,
    Binary,
}

public enum BrokerProtocol
{
    NotSet = -1,
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

public enum BrokerAuthenticationMode
{
    NotSet = -1,
    Gssapi,
    Plain,
    ScramSha256,
    ScramSha512,
    OAuthBearer,
}
