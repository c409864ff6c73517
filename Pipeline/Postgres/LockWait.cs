using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// Says what capture waits for where it does not get the table's lock soon: whoever changes a table shuts everybody out until he commits,
/// and no limit ends the wait, since nothing is wrong.
/// </summary>
internal sealed class LockWait(PostgresOptions options, TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan ToldAfter = TimeSpan.FromSeconds(5);

    // A prepared transaction has no session, and is told by 0.
    private const string Holders =
        """
        SELECT CASE WHEN b.pid = 0 THEN 'prepared' ELSE 'open' END, since,
               coalesce(extract(epoch FROM clock_timestamp() - since), 0)::float8, nullif(b.pid, 0), a.application_name
        FROM (SELECT DISTINCT unnest(pg_blocking_pids($1))) b (pid) LEFT JOIN pg_stat_activity a USING (pid),
             LATERAL (SELECT CASE WHEN b.pid = 0 THEN (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())
                                  ELSE coalesce(a.xact_start, a.backend_start) END) s (found),
             LATERAL (SELECT coalesce(found, clock_timestamp())) t (since)
        ORDER BY since
        """;

    /// <summary>The end of a statement that may wait for the lock.</summary>
    /// <param name="waiting">Its connection.</param>
    /// <param name="statement">It.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public async Task<T> OfAsync<T>(NpgsqlConnection waiting, Task<T> statement, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var telling = statement.IsCompleted ? Task.CompletedTask : TellAsync(waiting.ProcessID, over.Token);
        try
        {
            return await statement;
        }
        finally
        {
            await over.CancelAsync();
            await telling;
        }
    }

    // Once: while the poll waits nothing else is said, and status and page show the oldest open transaction.
    private async Task TellAsync(int waiting, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(ToldAfter, time, cancellationToken);
            logger.WaitingForLock($"{options.Schema}.{options.Table}", await HoldersAsync(waiting, cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // It has the lock.
        }
    }

    private async Task<string> HoldersAsync(int waiting, CancellationToken cancellationToken)
    {
        var holders = new List<OldestOpen>();
        try
        {
            await using var connection = await SourceConnection.OpenAsync(options, cancellationToken);
            await using var command = new NpgsqlCommand(Holders, connection) { Parameters = { new() { Value = waiting } } };
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            while (await reader.ReadAsync(cancellationToken)) holders.Add(OldestOpen.Read(reader));
        }
        catch (Exception e) when (e is NpgsqlException or PipelineException)
        {
            // A role may have one connection only.
        }
        return holders.Count > 0 ? string.Join(", ", holders) : "a transaction of which nothing can be seen";
    }
}
