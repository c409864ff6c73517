using System.Collections.Immutable;

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

    [Setting("The standing comparison of lake and table, where the table is captured.")]
    public AuditOptions Audit { get; init; } = new();

    [Setting("What status, page and metrics call well.")]
    public HealthOptions Status { get; init; } = new();

    /// <summary>How far a half may be behind before that is wrong.</summary>
    public TimeSpan LagMax => TimeSpan.FromSeconds(Status.LagMax ?? HealthOptions.LagMaxIntervals * Streaming.BatchInterval);

    /// <summary>The stream's name: one source table to one topic, and no two streams share a topic.</summary>
    public string StreamName => Kafka.Topic;

    /// <summary>The name of the stream's publisher on both servers: the transactional id in Kafka, the poller's lock in Postgres.</summary>
    public string PublisherName => $"orders-stream.{StreamName}";
}

/// <summary>The source: one table of one Postgres database.</summary>
public sealed record PostgresOptions
{
    /// <summary>The largest page that capture may be told to cut.</summary>
    public const int PageBytesMax = 268_435_456;

    /// <summary>Of a numeric column: carried as text, as one without a scale is.</summary>
    internal const string NumericText = "text";

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

    [Setting("File whose first line is the role's password, preferred to password: it is read at each login, and again where the "
        + "server refused it, so that another password needs no restart.")]
    public string? PasswordFile { get; init; }

    [Setting("How the role proves who it is: by its password, or by entra: a token of Microsoft Entra ID for the identity that the "
        + "process runs as, asked for at each login. It needs sslmode require, verify-ca or verify-full, and no password.",
        OneOf = ["password", Entra])]
    public string Auth { get; init; } = "password";

    /// <summary>Of both servers: by tokens of Entra ID.</summary>
    internal const string Entra = "entra";

    /// <summary>Logs in by tokens.</summary>
    public bool UsesTokens => Auth == Entra;

    [Setting("Table to capture.", Required = true)]
    public string Table { get; init; } = "";

    [Setting("Schema of the table.")]
    public string Schema { get; init; } = "public";

    [Setting("Columns that identify a row; empty: the primary key. Other columns must be NOT NULL and have a unique index.")]
    public IReadOnlyList<string> KeyColumns { get; init; } = [];

    [Setting("The timestamptz column that every insert and update sets; empty: updated_at, else created_at (updates are then not "
        + "captured, and a warning says so).")]
    public string? TimestampColumn { get; init; }

    [Setting("Columns to carry; empty: all. The key's and the ordering column must be among them.")]
    public IReadOnlyList<string> Columns { get; init; } = [];

    [Setting("Columns to leave out: they are never read.")]
    public IReadOnlyList<string> ExcludeColumns { get; init; } = [];

    [Setting("Columns whose values must not leave the database as they are: each is carried as text, the keyed hash of what Postgres "
        + "prints (HMAC-SHA256 by mask_key, in hexadecimal digits). NULL stays NULL.")]
    public IReadOnlyList<string> Mask { get; init; } = [];

    [Setting("Key of the hashes of mask: 16 characters at least, kept secret and never changed.", Secret = true)]
    public string? MaskKey { get; init; }

    [Setting("Precision and scale for numeric columns that declare none, by the column's name, such as {amount: \"18,4\"}: they are "
        + "decimals then, and a value that does not fit goes to quarantine. {amount: \"text\"} says that one is to be text, as without.")]
    public IReadOnlyDictionary<string, string> Numeric { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    [Setting("How columns of type time are carried: as time, or as text for readers that know no such type (Spark 3). Empty: as time, "
        + "and a warning says so.", OneOf = ["time", "text"])]
    public string? Time { get; init; }

    [Setting("How infinity in date and timestamp columns is carried: keep it as the greatest value, which pandas cannot read, or make it "
        + "NULL. In the key, the ordering column and arrays it is kept. Empty: keep, and a warning names the columns that hold one.",
        OneOf = ["keep", "null"])]
    public string? Infinity { get; init; }

    [Setting("What to do about columns of a type that is not known (docs/types.md lists those that are): refuse the table, carry their "
        + "text as Postgres prints it, or skip them.", OneOf = ["refuse", "text", "skip"])]
    public string OtherTypes { get; init; } = "refuse";

    [Setting("Size at which a page is published as one Kafka transaction.", Unit = "bytes", Min = 1_024, Max = PageBytesMax)]
    public int PageBytes { get; init; } = 8 * 1024 * 1024;

    [Setting("What to do about a row that is larger than a record of the topic may be (its max.message.bytes, 96 MiB at most): stop, or "
        + "quarantine, which keeps it in a file below last_processed_timestamp_location and goes on.", OneOf = ["stop", "quarantine"])]
    public string TooLarge { get; init; } = "stop";

    [Setting("Longest time that one query, and so one snapshot, stays open before it is reopened at the cursor.",
        Unit = "seconds", Min = 1, Max = 3_600)]
    public int SnapshotSeconds { get; init; } = 60;

    [Setting("How far updated_at may lie before its transaction's start as the server shows it; costs re-read index rows only. "
        + "Empty: 10 where the trigger of db/orders.sql sets the column, else 60.", Unit = "seconds", Min = 0, Max = 86_400)]
    public int? SlackSeconds { get; init; }

    [Setting("How far to read back after the source went back in time (failover, restored backup, clock stepped back); rows there "
        + "may be published twice.", Unit = "seconds", Min = 0, Max = 2_592_000)]
    public int OverlapSeconds { get; init; } = 3_600;

    [Setting("What to do where values read otherwise though no row was written (a column added with a default, renamed or of another "
        + "type, an enum's label renamed): capture all rows again, or leave the lake as it is.", OneOf = ["capture", "leave"])]
    public string ChangedValues { get; init; } = "capture";

    [Setting("How deleted rows become known: by the tombstones that the triggers of db/orders.sql write, where these are; by audit, too, "
        + "which publishes as deleted what it finds in the lake and not in the table; or not at all.", OneOf = ["trigger", "audit", "off"])]
    public string Deletes { get; init; } = "trigger";

    [Setting("With deletes: audit, of all rows those that may be published as deleted after one round; where more seem to be, or the "
        + "table is empty, none is, and a warning asks.", Unit = "percent", Min = 1, Max = 100)]
    public int DeletesShareMax { get; init; } = 5;

    [Setting("Condition by which a row that is still there counts as deleted, such as is_deleted or deleted_at IS NOT NULL: of the table's "
        + "columns, constants, comparisons, AND, OR, NOT. Empty: none does.")]
    public string? DeletedWhen { get; init; }

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

    /// <summary>Where the server is, for messages.</summary>
    public string Address => IsUnixSocket ? Host : $"{Host}:{Port}";

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

    [Setting("What capture does about a topic that is compacted, where versions of a row that are not stored yet are thrown away: refuse "
        + "it, or warn and go on.", OneOf = ["refuse", "warn"])]
    public string Compacted { get; init; } = "refuse";

    [Setting("Compression of the records on the wire and in the topic.", OneOf = ["none", "gzip", "snappy", "lz4", "zstd"])]
    public string Compression { get; init; } = "lz4";

    [Setting("Consumer group of KafkaToLake; empty: the topic's name with '-to-lake' behind it.")]
    public string? GroupId { get; init; }

    [Setting("How to talk to the brokers.", OneOf = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])]
    public string SecurityProtocol { get; init; } = "plaintext";

    [Setting("How a client proves who it is: by password (or certificate, or not at all), or by entra: a token of Microsoft Entra ID for "
        + "the identity that the process runs as, as Event Hubs takes it (OAUTHBEARER). It needs security_protocol sasl_ssl, and no sasl_ "
        + "keys.",
        OneOf = ["password", PostgresOptions.Entra])]
    public string Auth { get; init; } = "password";

    /// <summary>Logs in by tokens.</summary>
    public bool UsesTokens => Auth == PostgresOptions.Entra;

    [Setting("SASL mechanism; needs security_protocol sasl_plaintext or sasl_ssl.", OneOf = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])]
    public string? SaslMechanism { get; init; }

    [Setting("SASL user.")]
    public string? SaslUsername { get; init; }

    [Setting("SASL password.", Secret = true)]
    public string? SaslPassword { get; init; }

    [Setting("File whose first line is the SASL password, preferred to sasl_password: it is read with each new connection to the "
        + "cluster, and again where a broker refused it.")]
    public string? SaslPasswordFile { get; init; }

    [Setting("File with the certificate authorities to trust (PEM); empty: those that the system trusts.")]
    public string? SslCaLocation { get; init; }

    [Setting("File with the client's certificate (PEM).")]
    public string? SslCertificateLocation { get; init; }

    [Setting("File with the client's private key (PEM).")]
    public string? SslKeyLocation { get; init; }

    [Setting("Password of the client's private key.", Secret = true)]
    public string? SslKeyPassword { get; init; }

    [Setting("File whose first line is the password of the client's private key, preferred to ssl_key_password.")]
    public string? SslKeyPasswordFile { get; init; }

    [Setting("How long a page may take to be acknowledged before its transaction is given up.", Unit = "seconds", Min = 5, Max = 900)]
    public int TransactionTimeout { get; init; } = 60;

    [Setting("How pages are sent: transactions (readers of committed records see each row version once), or frames for brokers without "
        + "transactions (the lake is exact all the same; other readers may see a page again after a failure).",
        OneOf = ["transactions", "frames"])]
    public string Delivery { get; init; } = Transactions;

    internal const string Transactions = "transactions";

    /// <summary>Each page is one transaction.</summary>
    public bool IsTransactional => Delivery == Transactions;

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

    [Setting("By what rows are divided into folders below path: order_date (the UTC date of created_at, where the table has none of the "
        + "timestamp column), a column's name, or none. All columns are in the files, too.")]
    public string PartitionBy { get; init; } = "order_date";

    [Setting("What stands before the value in the folders' names (date for date=2026-03-01): a name that no column of the table has. "
        + "Empty: by_ and partition_by, or as the lake has it where an earlier version began it.")]
    public string? FolderName { get; init; }

    [Setting("Compression of the files.", OneOf = ["none", "snappy", "gzip", "zstd"])]
    public string Compression { get; init; } = "snappy";

    [Setting("Effort of gzip and zstd.", OneOf = ["fastest", "optimal", "smallest"])]
    public string CompressionLevel { get; init; } = "fastest";

    [Setting("Size of decoded rows at which a batch is committed even before batch_interval is over. So is one whose files hold a "
        + "quarter more in memory: each file of each folder has arrays for each column.",
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

/// <summary>The standing comparison of lake and table.</summary>
public sealed record AuditOptions
{
    [Setting("Whether lake and table are compared, round after round, while the table is captured.", OneOf = ["true", "false"])]
    public string Enabled { get; init; } = "true";

    [Setting("Share of one core that it may take, the work of both servers counted.", Unit = "percent", Min = 1, Max = 100)]
    public int Share { get; init; } = 1;

    [Setting("Time between the end of one round and the beginning of the next.", Unit = "seconds", Min = 1, Max = 2_592_000)]
    public int Interval { get; init; } = 3_600;

    [Setting("Whether rows that are found missing or stale are published again.", OneOf = ["true", "false"])]
    public string Repair { get; init; } = "true";

    /// <summary>It is on.</summary>
    public bool IsEnabled => Enabled == "true";

    /// <summary>It mends what it finds.</summary>
    public bool MayRepair => Repair == "true";
}

/// <summary>What status, page and metrics call well.</summary>
public sealed record HealthOptions
{
    internal const int LagMaxIntervals = 10;

    [Setting("How far behind a half may be before status says that something is wrong; empty: ten times streaming.batch_interval.",
        Unit = "seconds", Min = 1, Max = 604_800)]
    public int? LagMax { get; init; }
}
