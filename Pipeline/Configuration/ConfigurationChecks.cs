using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OrdersStream.Configuration;

/// <summary>
/// What a single key's range cannot say: names that a server would refuse, keys that need or exclude one another. A value that
/// has a fault already is passed over.
/// </summary>
internal sealed class ConfigurationChecks(PipelineOptions options, ResolvedSettings resolved, FaultList faults)
{
    private const int IdentifierBytesMax = 63;
    private const int TopicLengthMax = 249;
    private const int KeyColumnsMax = 32;
    private const int FolderNameMax = 63;
    private const int MaskKeyMin = 16;

    public void Run()
    {
        CheckPostgresNames();
        CheckHost();
        CheckPostgresTls();
        CheckPostgresTokens();
        CheckTopic();
        CheckBrokers();
        CheckSasl();
        CheckKafkaTls();
        CheckColumns();
        CheckPartitionBy();
        CheckLagMax();
        new PathChecks(options, resolved, faults).Run();
    }

    private void CheckPostgresNames()
    {
        var postgres = options.Postgres;
        CheckIdentifier("postgres.table", postgres.Table);
        CheckIdentifier("postgres.schema", postgres.Schema);
        CheckIdentifier("postgres.db", postgres.Db);
        CheckIdentifier("postgres.user", postgres.User);
        CheckIdentifier("postgres.application_name", postgres.ApplicationName);
        CheckIdentifier("postgres.timestamp_column", postgres.TimestampColumn ?? "");
        foreach (var column in postgres.KeyColumns) CheckIdentifier("postgres.key_columns", column);
        if (postgres.KeyColumns.Count > KeyColumnsMax)
            Fault("postgres.key_columns", $"names {postgres.KeyColumns.Count} columns; an index of Postgres has at most {KeyColumnsMax}");
    }

    /// <summary>Postgres cuts a longer name without a word, and would then look for another table.</summary>
    private void CheckIdentifier(string name, string value)
    {
        var bytes = Encoding.UTF8.GetByteCount(value);
        if (bytes > IdentifierBytesMax)
            Fault(name, $"has a name of {bytes} bytes ({ShownValue.Of(value)}); Postgres allows {IdentifierBytesMax}");
    }

    private void CheckHost()
    {
        if (options.Postgres.IsUnixSocket) return;
        var host = options.Postgres.Host;
        if (host.Contains(',', StringComparison.Ordinal))
            Fault("postgres.host", "names several hosts; one source is read, so name one");
        else if (host.Contains(':', StringComparison.Ordinal) && !IsIPv6(host))
            Fault("postgres.host", $"is {ShownValue.Of(host)}; a port goes to postgres.port");
        else if (host.Any(c => char.IsWhiteSpace(c) || c is '/' or '@' or '?'))
            Fault("postgres.host", $"is {ShownValue.Of(host)}, which is no host name, address or socket folder");
    }

    private static bool IsIPv6(string host) =>
        IPAddress.TryParse(host, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;

    private void CheckPostgresTls()
    {
        var postgres = options.Postgres;
        if (resolved.IsBroken("postgres.sslmode")) return;
        // Certificates that a mode does not look at would give a false sense of safety.
        if (postgres.Sslrootcert is not null && !postgres.Sslmode.StartsWith("verify-", StringComparison.Ordinal))
            Fault("postgres.sslrootcert",
                $"has no effect with sslmode {postgres.Sslmode}; set sslmode to verify-ca or verify-full, or remove it");
        if (postgres.Sslcert is not null && postgres.Sslmode == "disable")
            Fault("postgres.sslcert", "has no effect with sslmode disable; set another sslmode, or remove it");
        Needs("postgres.sslkey", postgres.Sslkey, "postgres.sslcert", postgres.Sslcert);
    }

    private void CheckPostgresTokens()
    {
        var postgres = options.Postgres;
        if (!postgres.UsesTokens) return;
        HasNoEffectWithTokens("postgres.password", postgres.Password);
        HasNoEffectWithTokens("postgres.password_file", postgres.PasswordFile);
        if (!resolved.IsBroken("postgres.sslmode") && postgres.Sslmode is "disable" or "allow" or "prefer")
            Fault("postgres.auth",
                $"entra needs sslmode require, verify-ca or verify-full (it is {postgres.Sslmode}): "
                + "whoever reads a token on its way can use it");
    }

    private void HasNoEffectWithTokens(string name, string? value)
    {
        if (value is null) return;
        var variable = $"{char.ToUpperInvariant(name[0])}{name[1..name.IndexOf('.')]}__{SettingsReference.Get(name).Property.Name}";
        Fault(name, "has no effect with auth entra, by which a token proves who logs in; "
            + $"remove it (an empty {variable} in the environment does), or set auth to password");
    }

    private void CheckTopic()
    {
        const string name = "kafka.topic";
        var topic = options.Kafka.Topic;
        if (topic is "." or "..") Fault(name, $"is {ShownValue.Of(topic)}, which Kafka does not allow");
        else if (topic.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '-')))
            Fault(name, $"is {ShownValue.Of(topic)}; Kafka allows letters, digits, '.', '_' and '-' in a topic's name");
        else if (topic.Length > TopicLengthMax) Fault(name, $"has a name of {topic.Length} characters; Kafka allows {TopicLengthMax}");
    }

    private void CheckBrokers()
    {
        foreach (var broker in options.Kafka.Brokers.Split(',', StringSplitOptions.TrimEntries))
        {
            if (options.Kafka.Brokers == "") return;
            var colon = broker.LastIndexOf(':');
            var host = colon < 0 ? broker : broker[..colon];
            if (broker.Contains("://", StringComparison.Ordinal))
                Fault("kafka.brokers", "names a protocol; write host:port, and set kafka.security_protocol");
            else if (broker.Contains(';', StringComparison.Ordinal))
                Fault("kafka.brokers", $"holds {ShownValue.Of(broker)}, with a semicolon; part addresses by commas");
            else if (colon < 0 || (host.Contains(':', StringComparison.Ordinal) && !host.EndsWith(']')))
                Fault("kafka.brokers", $"holds {ShownValue.Of(broker)} without a port; write host:port, comma-separated");
            else if (host == "" || host.Any(c => char.IsWhiteSpace(c) || c is '/' or '@'))
                Fault("kafka.brokers", $"holds {ShownValue.Of(broker)}, which is no host:port");
            else if (!ushort.TryParse(broker.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out var port) || port == 0)
                Fault("kafka.brokers", $"holds {ShownValue.Of(broker)}, whose port is not in 1 to 65535");
        }
    }

    private void CheckSasl()
    {
        var kafka = options.Kafka;
        if (kafka.UsesTokens) CheckKafkaTokens();
        if (kafka.UsesTokens || resolved.IsBroken("kafka.security_protocol")) return;
        (string Name, string? Value)[] keys =
        [
            ("kafka.sasl_mechanism", kafka.SaslMechanism), ("kafka.sasl_username", kafka.SaslUsername),
            kafka.SaslPasswordFile is { } file ? ("kafka.sasl_password_file", file) : ("kafka.sasl_password", kafka.SaslPassword),
        ];
        var wanted = kafka.SecurityProtocol.StartsWith("sasl_", StringComparison.Ordinal);
        foreach (var (name, value) in keys)
        {
            if (!wanted && value is not null)
                Fault(name, $"needs security_protocol sasl_plaintext or sasl_ssl (it is {kafka.SecurityProtocol})");
            if (wanted && value is null && !resolved.IsBroken(name))
                Fault("kafka.security_protocol", $"{kafka.SecurityProtocol} needs {name}");
        }
    }

    private void CheckKafkaTokens()
    {
        var kafka = options.Kafka;
        HasNoEffectWithTokens("kafka.sasl_mechanism", kafka.SaslMechanism);
        HasNoEffectWithTokens("kafka.sasl_username", kafka.SaslUsername);
        HasNoEffectWithTokens("kafka.sasl_password", kafka.SaslPassword);
        HasNoEffectWithTokens("kafka.sasl_password_file", kafka.SaslPasswordFile);
        if (!resolved.IsBroken("kafka.security_protocol") && kafka.SecurityProtocol != "sasl_ssl")
            Fault("kafka.auth",
                $"entra needs security_protocol sasl_ssl (it is {kafka.SecurityProtocol}): whoever reads a token on its way can use it");
        if (kafka.Brokers.Contains(',', StringComparison.Ordinal))
            Fault("kafka.auth", "entra needs one address in kafka.brokers, the namespace's: a token is for that alone");
    }

    private void CheckKafkaTls()
    {
        var kafka = options.Kafka;
        if (resolved.IsBroken("kafka.security_protocol")) return;
        (string Name, string? Value)[] keys =
        [
            ("kafka.ssl_ca_location", kafka.SslCaLocation), ("kafka.ssl_certificate_location", kafka.SslCertificateLocation),
            ("kafka.ssl_key_location", kafka.SslKeyLocation), ("kafka.ssl_key_password", kafka.SslKeyPassword),
            ("kafka.ssl_key_password_file", kafka.SslKeyPasswordFile),
        ];
        if (!kafka.SecurityProtocol.EndsWith("ssl", StringComparison.Ordinal))
        {
            foreach (var (name, value) in keys)
                if (value is not null) Fault(name, $"needs security_protocol ssl or sasl_ssl (it is {kafka.SecurityProtocol})");
            return;
        }
        Needs("kafka.ssl_key_location", kafka.SslKeyLocation, "kafka.ssl_certificate_location", kafka.SslCertificateLocation);
        Needs("kafka.ssl_certificate_location", kafka.SslCertificateLocation, "kafka.ssl_key_location", kafka.SslKeyLocation);
        Needs("kafka.ssl_key_password", kafka.SslKeyPassword, "kafka.ssl_key_location", kafka.SslKeyLocation);
        Needs("kafka.ssl_key_password_file", kafka.SslKeyPasswordFile, "kafka.ssl_key_location", kafka.SslKeyLocation);
    }

    private void CheckColumns()
    {
        var postgres = options.Postgres;
        foreach (var name in postgres.Columns) CheckIdentifier("postgres.columns", name);
        foreach (var name in postgres.ExcludeColumns) CheckIdentifier("postgres.exclude_columns", name);
        foreach (var name in postgres.Mask) CheckIdentifier("postgres.mask", name);
        if (postgres.Mask.Count > 0) Needs("postgres.mask", "given", "postgres.mask_key", postgres.MaskKey);
        if (postgres.MaskKey is { Length: > 0 and < MaskKeyMin })
            Fault("postgres.mask_key", $"is shorter than {MaskKeyMin} characters; a key that can be guessed hides nothing");
        foreach (var (name, shape) in postgres.Numeric)
        {
            CheckIdentifier("postgres.numeric", name);
            if (shape != PostgresOptions.NumericText && !IsDecimal(shape))
                Fault("postgres.numeric",
                    $"gives {ShownValue.Of(name)} the shape {ShownValue.Of(shape)}; it must be \"precision,scale\", "
                    + "the precision from 1 to 38 and the scale from 0 to it, or \"text\"");
        }
    }

    private static bool IsDecimal(string shape) =>
        shape.Split(',', StringSplitOptions.TrimEntries) is [var p, var s]
        && int.TryParse(p, System.Globalization.NumberStyles.None, null, out var precision) && precision is >= 1 and <= 38
        && int.TryParse(s, System.Globalization.NumberStyles.None, null, out var scale) && scale <= precision;

    private void CheckPartitionBy()
    {
        var column = options.Datalake.PartitionBy;
        CheckIdentifier("datalake.partition_by", column);
        if (column.Any(c => c is '/' or '\\' or '='))
            Fault("datalake.partition_by", $"is {ShownValue.Of(column)}; it becomes a folder's name, so it holds no /, \\ or =");
        else if (column[0] is '_' or '.')
            Fault("datalake.partition_by", $"is {ShownValue.Of(column)}; Spark and Hive hide folders that begin with _ or .");
        if (options.Datalake.FolderName is not { Length: > 0 } folder) return;
        if (!folder.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') || folder[0] == '_' || folder.Length > FolderNameMax)
            Fault("datalake.folder_name",
                $"is {ShownValue.Of(folder)}; it must be of letters, digits and _, {FolderNameMax} at most, and not begin with _, "
                + "by which readers hide folders");
        else if (column == "none")
            Fault("datalake.folder_name", "has no effect with partition_by none; remove it, or name a column as partition_by");
    }

    private void Needs(string name, string? value, string other, string? otherValue)
    {
        if (value is not null && otherValue is null && !resolved.IsBroken(other)) Fault(name, $"needs {other}");
    }

    /// <summary>Only a given value can be at fault: the defaults are sound.</summary>
    /// <summary>What is captured and stored as it should waits for up to an interval in the table, and for one in the topic.</summary>
    private void CheckLagMax()
    {
        var interval = options.Streaming.BatchInterval;
        if (options.Status.LagMax is { } most && most < 2 * interval && !resolved.IsBroken("streaming.batch_interval"))
            Fault("status.lag_max", $"is {most}, and streaming.batch_interval is {interval} s: what waits for an interval or two is not "
                + $"late; it must be {2 * interval} s at least");
    }

    private void Fault(string name, string message)
    {
        if (resolved.OriginOf(name) is { } origin) faults.Add(origin, $"{name} {message}");
    }
}
