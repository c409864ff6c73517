using System.Collections.Concurrent;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Identity;

namespace OrdersStream.Postgres;

/// <summary>How a connection proves who it is: by what the configuration or a file holds, or by a token, asked for at each login.</summary>
internal static class SourceLogin
{
    /// <summary>Those that log in by tokens, by all else that they have in common: the driver asks each once for the types.</summary>
    private static readonly ConcurrentDictionary<string, NpgsqlDataSource> WithTokens = [];

    /// <summary>A connection that is not open.</summary>
    public static NpgsqlConnection NewConnection(PostgresOptions options, string connectionString) => options.UsesTokens
        ? WithTokens.GetOrAdd(connectionString, NewSource, EntraTokens.ScopeOfPostgres(options.Host)).CreateConnection()
        : new NpgsqlConnection(connectionString);

    /// <summary>For whoever judges the failure of a login: what was refused, where another may be taken at the next try.</summary>
    public static void Note(PostgresOptions options, Exception failure)
    {
        if (options.UsesTokens) failure.Data[FailurePolicy.TokenKey] = FailurePolicy.TokenKey;
        // A password that stands in the configuration is another only behind a new start.
        else failure.Data[FailurePolicy.CredentialsKey] =
            options.PasswordFile ?? (string.IsNullOrEmpty(options.Password) ? options.Sslcert : null);
    }

    /// <summary>The driver's failure, or, where there was no token to log in by, that.</summary>
    public static Exception CauseOf(Exception failure) =>
        failure is NpgsqlException { InnerException: { } cause } && cause is PipelineException or OperationCanceledException
            ? cause : failure;

    private static NpgsqlDataSource NewSource(string connectionString, string scope) =>
        new NpgsqlDataSourceBuilder(connectionString).UsePasswordProvider(
            _ => TokenAsync(scope, CancellationToken.None).AsTask().GetAwaiter().GetResult(),
            (_, cancellationToken) => TokenAsync(scope, cancellationToken)).Build();

    private static async ValueTask<string> TokenAsync(string scope, CancellationToken cancellationToken) =>
        (await EntraTokens.OfProcess.GetAsync(scope, cancellationToken)).Value;
}
