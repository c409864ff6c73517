namespace OrdersStream.Configuration;

/// <summary>
/// The whole configuration: one property per section of the YAML file, and in each section one property per key
/// (snake_case there, PascalCase here).
/// </summary>
public sealed record PipelineOptions
{
    [Setting("The source: one table of one Postgres database.")]
    public PostgresOptions Postgres { get; init; } = new();

    [Setting("The topic between the two halves, and how to reach its brokers.")]
    public KafkaOptions Kafka { get; init; } = new();

    [Setting("Where and how Parquet files are written.")]
    public DatalakeOptions Datalake { get; init; } = new();

    [Setting("Progress files and cadence.")]
    public StreamingOptions Streaming { get; init; } = new();

    /// <summary>The stream's name: one source table to one topic, and no two streams share a topic.</summary>
    public string StreamName => Kafka.Topic;

    /// <summary>The name of the stream's publisher on both servers: the transactional id in Kafka, the poller's lock in Postgres.</summary>
    public string PublisherName => $"orders-stream.{StreamName}";
}

/// <summary>The source: one table of one Postgres database.</summary>
public sealed record PostgresOptions
{
    [Setting("The server and database as a JDBC URL (jdbc:postgresql://host:port/db?sslmode=...); replaces host, port and db, "
        + "and must agree with them where both are given.")]
    public string? JdbcUrl { get; init; }

    [Setting("Host name or address of the server, or the folder of its Unix socket.", RequiredUnless = "jdbc_url")]
    public string Host { get; init; } = "";

    /// <summary>The host is a folder, or a name that only the kernel knows: there is no network in between.</summary>
    public bool IsUnixSocket => Host.StartsWith('/') || Host.StartsWith('@');

    [Setting("TCP port.", Min = 1, Max = 65535)]
    public int Port { get; init; } = 5432;

    [Setting("Database name.", RequiredUnless = "jdbc_url")]
    public string Db { get; init; } = "";

    [Setting("Role to connect as.", Required = true)]
    public string User { get; init; } = "";

    [Setting("Password of the role; leave it out where the server asks for none.", Secret = true)]
    public string? Password { get; init; }

    [Setting("Table to capture.", Required = true)]
    public string Table { get; init; } = "";

    [Setting("Schema of the table.")]
    public string Schema { get; init; } = "public";

    [Setting("Columns that identify a row; empty: the primary key. Other columns must be NOT NULL and have a unique index.")]
    public IReadOnlyList<string> KeyColumns { get; init; } = [];

    [Setting("The timestamptz column that every insert and update sets; empty: updated_at, else created_at (updates are then not "
        + "captured, and a warning says so).")]
    public string? TimestampColumn { get; init; }

    [Setting("Size at which a page is published as one Kafka transaction.", Unit = "bytes", Min = 1_024, Max = 268_435_456)]
    public int PageBytes { get; init; } = 8 * 1024 * 1024;

    [Setting("Longest time that one query, and so one snapshot, stays open before it is reopened at the cursor.",
        Unit = "seconds", Min = 1, Max = 3_600)]
    public int SnapshotSeconds { get; init; } = 60;

    [Setting("How far updated_at may lie before its transaction's start as the server shows it; costs re-read index rows only. "
        + "Empty: 10 where the trigger of db/orders.sql sets the column, else 60.", Unit = "seconds", Min = 0, Max = 86_400)]
    public int? SlackSeconds { get; init; }

    [Setting("How far to read back after the source went back in time (failover, restored backup, clock stepped back); rows there "
        + "may be published twice.", Unit = "seconds", Min = 0, Max = 2_592_000)]
    public int OverlapSeconds { get; init; } = 3_600;

    [Setting("How long a transaction may stay open where the role is no member of pg_read_all_stats, so that open transactions of "
        + "others cannot be seen; rows of a longer one would be missed.", Unit = "seconds", Min = 1, Max = 604_800)]
    public int LateCommitSeconds { get; init; } = 3_600;

    [Setting("Greatest number of transaction ids that a horizon remembers; above it rows are held back to the next window.",
        Unit = "transactions", Min = 1, Max = 1_000_000)]
    public int SeenTransactions { get; init; } = 100_000;

    [Setting("How to use TLS, as libpq names it.", OneOf = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])]
    public string Sslmode { get; init; } = "prefer";

    [Setting("File with the certificate authorities to trust (PEM); empty: those that the system trusts. Looked at with sslmode "
        + "verify-ca and verify-full only.")]
    public string? Sslrootcert { get; init; }

    [Setting("File with the client's certificate (PEM).")]
    public string? Sslcert { get; init; }

    [Setting("File with the client's private key (PEM), where sslcert does not hold it.")]
    public string? Sslkey { get; init; }

    [Setting("How long to wait for a connection.", Unit = "seconds", Min = 1, Max = 300)]
    public int ConnectTimeout { get; init; } = 15;

    [Setting("Name that the server shows for the pipeline's sessions (pg_stat_activity).")]
    public string ApplicationName { get; init; } = "orders-stream";

    /// <summary>The one that the compiler would make shows the password.</summary>
    public override string ToString() => ConfigurationPrinter.PrintSection("postgres", this);
}

/// <summary>The topic between the two halves, and how to reach its brokers.</summary>
public sealed record KafkaOptions
{
    [Setting("Bootstrap servers: host:port, comma-separated.", Required = true)]
    public string Brokers { get; init; } = "";

    [Setting("Topic that carries the row versions.", Required = true)]
    public string Topic { get; init; } = "";

    [Setting("Partitions of the topic when it is created here.", Unit = "partitions", Min = 1, Max = 1_000)]
    public int Partitions { get; init; } = 4;

    [Setting("Replicas of each partition when the topic is created here.", Unit = "replicas", Min = 1, Max = 32)]
    public int ReplicationFactor { get; init; } = 1;

    [Setting("Compression of the records on the wire and in the topic.", OneOf = ["none", "gzip", "snappy", "lz4", "zstd"])]
    public string Compression { get; init; } = "lz4";

    [Setting("Consumer group of KafkaToLake; empty: the topic's name with '-to-lake' behind it.")]
    public string? GroupId { get; init; }

    [Setting("How to talk to the brokers.", OneOf = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])]
    public string SecurityProtocol { get; init; } = "plaintext";

    [Setting("SASL mechanism; needs security_protocol sasl_plaintext or sasl_ssl.", OneOf = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])]
    public string? SaslMechanism { get; init; }

    [Setting("SASL user.")]
    public string? SaslUsername { get; init; }

    [Setting("SASL password.", Secret = true)]
    public string? SaslPassword { get; init; }

    [Setting("File with the certificate authorities to trust (PEM); empty: those that the system trusts.")]
    public string? SslCaLocation { get; init; }

    [Setting("File with the client's certificate (PEM).")]
    public string? SslCertificateLocation { get; init; }

    [Setting("File with the client's private key (PEM).")]
    public string? SslKeyLocation { get; init; }

    [Setting("Password of the client's private key.", Secret = true)]
    public string? SslKeyPassword { get; init; }

    [Setting("How long a page may take to be acknowledged before its transaction is given up.", Unit = "seconds", Min = 5, Max = 900)]
    public int TransactionTimeout { get; init; } = 60;

    /// <summary>
    /// False for brokers that answer no admin calls (the embedded one): the topic is then known by its name alone, without
    /// waiting for an answer that never comes. No key of the file: the embedded broker sets it.
    /// </summary>
    public bool BrokerTellsTopicIds { get; init; } = true;

    /// <summary>
    /// False: records take the client's ordinary calls only, as where its package looks different. No key of the file: tests set it.
    /// </summary>
    internal bool RecordsInPlace { get; init; } = true;

    /// <summary>The consumer group in force.</summary>
    public string EffectiveGroupId => string.IsNullOrEmpty(GroupId) ? $"{Topic}-to-lake" : GroupId;

    /// <summary>The one that the compiler would make shows passwords.</summary>
    public override string ToString() => ConfigurationPrinter.PrintSection("kafka", this);
}

/// <summary>Where and how Parquet files are written.</summary>
public sealed record DatalakeOptions
{
    [Setting("Folder of the Parquet files.", Required = true)]
    public string Path { get; init; } = "";

    [Setting("File format.", OneOf = ["parquet"])]
    public string Format { get; init; } = "parquet";

    [Setting("Folder level below path: order_date (the UTC date of created_at, where the table has none of the timestamp column), "
        + "a column's name, or none.")]
    public string PartitionBy { get; init; } = "order_date";

    [Setting("Compression of the files.", OneOf = ["none", "snappy", "gzip", "zstd"])]
    public string Compression { get; init; } = "snappy";

    [Setting("Effort of gzip and zstd.", OneOf = ["fastest", "optimal", "smallest"])]
    public string CompressionLevel { get; init; } = "fastest";

    [Setting("Size of decoded rows at which a batch is committed even before batch_interval is over.",
        Unit = "bytes", Min = 1_024, Max = 1_073_741_824)]
    public long BatchBytes { get; init; } = 80L * 1024 * 1024;

    [Setting("Rows at which a batch is committed even before batch_interval is over.", Unit = "rows", Min = 1, Max = 10_000_000)]
    public int BatchRows { get; init; } = 2_000_000;

    [Setting("Size of decoded rows in one file above which the next file is begun.", Unit = "bytes", Min = 1_024, Max = 1_073_741_824)]
    public long FileBytes { get; init; } = 128L * 1024 * 1024;

    [Setting("Rows in one row group of a file.", Unit = "rows", Min = 1, Max = 10_000_000)]
    public int RowGroupRows { get; init; } = 250_000;
}

/// <summary>Progress files and cadence.</summary>
public sealed record StreamingOptions
{
    [Setting("Folder of the commit log: which offsets are in the lake.", Required = true)]
    public string CheckpointLocation { get; init; } = "";

    [Setting("Folder of the watermark file: where capture has got to.", Required = true)]
    public string LastProcessedTimestampLocation { get; init; } = "";

    [Setting("Time between two polls, and for which a trickle of records is collected before it is written.",
        Unit = "seconds", Min = 1, Max = 3_600)]
    public int BatchInterval { get; init; } = 5;
}
