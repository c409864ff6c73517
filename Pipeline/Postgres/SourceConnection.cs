using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>Opens the one connection of a poller. It is kept between polls and never pooled: it carries the poller's lock.</summary>
public static class SourceConnection
{
    public static async Task<NpgsqlConnection> OpenAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(ConnectionString(options));
        try
        {
            await connection.OpenAsync(cancellationToken);
            // Text forms that cursors and literals rely on; and no plan that starts slowly to be fast in the end.
            await using var command = new NpgsqlCommand(
                "SET search_path = pg_catalog; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'; "
                + "SET standard_conforming_strings = on; SET jit = off", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>For Npgsql; holds the password, so it is never logged.</summary>
    public static string ConnectionString(PostgresOptions options) => new NpgsqlConnectionStringBuilder
    {
        Host = options.Host,
        Port = options.Port,
        Database = options.Db,
        Username = options.User,
        Password = options.Password,
        SslMode = options.Sslmode switch
        {
            "disable" => SslMode.Disable,
            "allow" => SslMode.Allow,
            "prefer" => SslMode.Prefer,
            "require" => SslMode.Require,
            "verify-ca" => SslMode.VerifyCA,
            "verify-full" => SslMode.VerifyFull,
            var other => throw new ArgumentException($"unknown sslmode {other}"),
        },
        // Encryption is TLS's; to ask for Kerberos' first loads its library, a tenth of a second.
        GssEncryptionMode = GssEncryptionMode.Disable,
        RootCertificate = options.Sslrootcert,
        SslCertificate = options.Sslcert,
        SslKey = options.Sslkey,
        Timeout = options.ConnectTimeout,
        CommandTimeout = 0,
        KeepAlive = 30,
        // The driver's own keepalive rests while a statement runs:
        // a network that goes silent under one is noticed by these, within a minute.
        TcpKeepAliveTime = options.IsUnixSocket ? 0 : 15,
        TcpKeepAliveInterval = options.IsUnixSocket ? 0 : 5,
        Pooling = false,
        Multiplexing = false,
        Enlist = false,
        NoResetOnClose = true,
        ApplicationName = options.ApplicationName,
        IncludeErrorDetail = false,
        ReadBufferSize = 64 * 1024,
    }.ConnectionString;
}
