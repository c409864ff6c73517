using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using MysticMind.PostgresEmbed;

namespace OrdersStream.Demo.Servers;

/// <summary>Postgres' programs from the network, for a machine that has none: fetched once, kept in a folder of the user's cache.</summary>
public static class FetchedPostgres
{
    private const string Version = "17.6.0";

    /// <param name="tell">Takes each line of progress.</param>
    /// <param name="repository">Where to fetch from; null: the public repository.</param>
    /// <returns>The folder of the programs.</returns>
    /// <exception cref="LocalPostgresException">They cannot be had.</exception>
    // Not inlined: the package is loaded only where it is needed.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static async Task<string> FetchAsync(Action<string> tell, string? repository, CancellationToken cancellationToken)
    {
        var cache = CacheFolder();
        var settings = new PgServerOptions { PgVersion = Version, BinariesDir = cache, DbDir = cache, Logger = new Progress(tell) };
        var server = new PgServer(repository is null ? settings : settings with { MavenRepo = repository });
        if (Directory.Exists(server.PgBinDir)) return server.PgBinDir;
        tell($"No Postgres on this machine: fetching the programs of version {Version} (about 10 MB, once) into {cache}");
        try
        {
            Directory.CreateDirectory(cache);
            await server.InstallAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new LocalPostgresException(
                "No Postgres was found on this machine (initdb, pg_ctl and postgres, on the PATH or in the usual folders), "
                + $"and its programs could not be fetched: {Innermost(e).Message}.",
                $"{LocalPostgres.InstallAdvice}. Or run the whole pipeline in containers: docker compose up", e);
        }
        return server.PgBinDir;
    }

    /// <summary>Root's own cache cannot be entered by the user that the server then runs as.</summary>
    private static string CacheFolder() =>
        !OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess
            ? "/var/cache/orders-stream"
            : Path.Combine(PgCache.DefaultDirectory, "binaries");

    private static Exception Innermost(Exception e) => e.InnerException is { } inner ? Innermost(inner) : e;

    private sealed class Progress(Action<string> tell) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel)) tell("  " + formatter(state, exception));
        }
    }
}
