#nullable disable
namespace Microsoft.Azure.Functions.Worker;

[AttributeUsage(AttributeTargets.Parameter)]
public sealed class KafkaTriggerAttribute(string brokerList, string topic) : Attribute
{
    public string BrokerList { get; } = brokerList;
    public string Topic { get; } = topic;
    public string ConsumerGroup { get; set; }
    public bool IsBatched { get; set; }
    public KafkaMessageKeyType KeyDataType { get; set; } = KafkaMessageKeyType.String;
    public BrokerProtocol Protocol { get; set; } = BrokerProtocol.NotSet;
    public BrokerAuthenticationMode AuthenticationMode { get; set; } = BrokerAuthenticationMode.NotSet;
    public string Username { get; set; }
    public string Password { get; set; }
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

public class KafkaRecord
{
    public string Topic { get; set; }
    public int Partition { get; set; }
    public long Offset { get; set; }
    public byte[] Key { get; set; }
    public byte[] Value { get; set; }
    public KafkaTimestamp Timestamp { get; set; }
    public KafkaHeader[] Headers { get; set; }
}

public class KafkaHeader
{
    public string Key { get; set; }
    public byte[] Value { get; set; }
}

public class KafkaTimestamp
{
    public long UnixTimestampMs { get; set; }
}
