using Npgsql;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// A pooler that hands a server's session to another client after each transaction or statement: what is set in it, and the poller's lock,
/// would be another client's, and the lock would stay when the poller is gone. It is recognised before anything is set, and refused.
/// </summary>
internal static class TransactionPool
{
    // A busy pool may have given the session to somebody else just then, who gives it back.
    private const int LooksMax = 5;

    /// <param name="connection">Just opened, and idle: such a pool has its session back.</param>
    /// <param name="openAnotherAsync">Another client, to which the pool may give it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="PipelineException">There is such a pool between.</exception>
    public static async Task RefuseAsync(
        NpgsqlConnection connection, Func<Task<NpgsqlConnection>> openAnotherAsync, CancellationToken cancellationToken)
    {
        var session = await SessionAsync(connection, cancellationToken);
        // Poolers give their clients keys of their own: a session's number is none of this connection's then.
        var looks = session == connection.ProcessID ? 1 : LooksMax;
        await using var another = await TryOpenAsync(openAnotherAsync);
        for (var look = 0; look < looks && another is not null; look++)
            if (await SessionAsync(another, cancellationToken) == session || await SessionAsync(connection, cancellationToken) != session)
                throw new PipelineException(FailureAction.Stop,
                    "Postgres is reached through a pooler that gives each transaction, or each statement, any session that is free: "
                    + "neither the session's settings nor the poller's lock would hold.",
                    "Let postgres.host and postgres.port lead to the server itself, or to a pool that gives each client a session "
                    + "(pool_mode = session).");
    }

    private static async Task<int> SessionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_catalog.pg_backend_pid()", connection);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    // A role may have one connection only. What is between is not known then; each poll looks whether the session still is the same.
    private static async Task<NpgsqlConnection?> TryOpenAsync(Func<Task<NpgsqlConnection>> openAsync)
    {
        try
        {
            return await openAsync();
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.TooManyConnections)
        {
            return null;
        }
    }
}
