using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>Opens connections to the source, with settings of our own. None is pooled: a poller's carries its lock between polls.</summary>
public static class SourceConnection
{
    /// <param name="options">Where it leads.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task<NpgsqlConnection> OpenAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync(options, cancellationToken);
        try
        {
            await TransactionPool.RefuseAsync(connection, () => ConnectAsync(options, cancellationToken), cancellationToken);
            await SessionSettings.ApplyAsync(connection, cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    // The driver asks the server for its types before anybody can set anything: what could disturb that goes along with the login.
    private static async Task<NpgsqlConnection> ConnectAsync(PostgresOptions options, CancellationToken cancellationToken)
    {
        var login = new NpgsqlConnectionStringBuilder(ConnectionString(options)) { Options = SessionSettings.AtLogin };
        try
        {
            return await ConnectAsync(options, login, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            var verdict = FailurePolicy.Judge(e);
            throw new PipelineException(
                verdict with { Check = await NearestDatabase.OfAsync(options, login, cancellationToken) + verdict.Check }, e);
        }
        catch (PostgresException e) when (IsRefusal(e) && e.File is not null && SourceLogin.HintOf(options) is { Length: > 0 } hint)
        {
            var verdict = FailurePolicy.Judge(e);
            throw new PipelineException(verdict with { Check = hint + verdict.Check }, e);
        }
        catch (PostgresException e) when (e.File is null)
        {
            // No server: a pooler, and many refuse options. It goes without: the types are asked for again where that fails.
            login.Options = null;
            return await ConnectAsync(options, login, cancellationToken);
        }
    }

    private static bool IsRefusal(PostgresException e) => e.SqlState.StartsWith("28", StringComparison.Ordinal);

    private static async Task<NpgsqlConnection> ConnectAsync(
        PostgresOptions options, NpgsqlConnectionStringBuilder login, CancellationToken cancellationToken)
    {
        var connection = SourceLogin.NewConnection(options, login.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch (Exception e)
        {
            SourceLogin.Note(options, e);
            e.Data[FailurePolicy.AskedKey] = options.Address;
            await connection.DisposeAsync();
            if (SourceLogin.CauseOf(e) is var cause && cause != e) throw cause;
            throw;
        }
    }

    /// <summary>For Npgsql; holds the password, so it is never logged. A token is in none: it is another one at the next login.</summary>
    public static string ConnectionString(PostgresOptions options) => new NpgsqlConnectionStringBuilder
    {
        Host = options.Host,
        Port = options.Port,
        Database = options.Db,
        Username = options.User,
        Password = options.UsesTokens ? null : SecretFile.Read(options.PasswordFile) ?? options.Password,
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
