using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Identity;

namespace OrdersStream.Postgres;

/// <summary>How a connection proves who it is: by what the configuration or a file holds, or by a token, asked for at each login.</summary>
internal static partial class SourceLogin
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

    /// <summary>What of the configuration may be why a login was refused: a sentence with a blank behind it, or nothing.</summary>
    public static string HintOf(PostgresOptions options)
    {
        if (options is { UsesTokens: false, PasswordFile: null, Password: { } password } && VariableName().IsMatch(password))
            return "Where postgres.password is to come from the environment, write ${NAME}. ";
        var usual = options.User.Trim().ToLowerInvariant();
        return !options.User.Any(c => char.IsUpper(c) || char.IsWhiteSpace(c)) ? ""
            : $"postgres.user is '{options.User}', in which capitals and blanks count: Postgres makes small letters of a role's name "
                + $"that is written without quotes{(usual == options.User ? "" : $"; did you mean {usual}?")} ";
    }

    [GeneratedRegex(@"\A\$[A-Za-z_][A-Za-z0-9_]*\z")]
    private static partial Regex VariableName();

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
