namespace OrdersStream.Configuration;

/// <summary>Takes relative paths from one folder, wherever the process was started.</summary>
internal static class RelativePaths
{
    public static PipelineOptions From(string home, PipelineOptions options) => options with
    {
        Postgres = options.Postgres with
        {
            PasswordFile = From(home, options.Postgres.PasswordFile),
            Sslrootcert = From(home, options.Postgres.Sslrootcert),
            Sslcert = From(home, options.Postgres.Sslcert),
            Sslkey = From(home, options.Postgres.Sslkey),
        },
        Kafka = options.Kafka with
        {
            SaslPasswordFile = From(home, options.Kafka.SaslPasswordFile),
            SslKeyPasswordFile = From(home, options.Kafka.SslKeyPasswordFile),
            SslCaLocation = From(home, options.Kafka.SslCaLocation),
            SslCertificateLocation = From(home, options.Kafka.SslCertificateLocation),
            SslKeyLocation = From(home, options.Kafka.SslKeyLocation),
        },
        Datalake = options.Datalake with { Path = From(home, options.Datalake.Path)! },
        Streaming = options.Streaming with
        {
            CheckpointLocation = From(home, options.Streaming.CheckpointLocation)!,
            LastProcessedTimestampLocation = From(home, options.Streaming.LastProcessedTimestampLocation)!,
        },
    };

    // A URL is refused later; as a path it would look like a folder's name.
    private static string? From(string home, string? path) =>
        string.IsNullOrEmpty(path) || path.Contains("://", StringComparison.Ordinal) ? path : Path.GetFullPath(path, home);
}
