using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Postgres;

namespace OrdersStream.Status;

/// <summary>What the source database shows at one moment.</summary>
/// <param name="Status">For the document.</param>
/// <param name="Clock">The database's.</param>
/// <param name="Snapshot">What is committed now, as Postgres prints it.</param>
/// <param name="Identity">Which table it is.</param>
/// <param name="Writer">The transaction with the least id; null: none has one.</param>
/// <param name="Warnings">What an operator should know of table and role.</param>
internal sealed record SourceObservation(
    SourceStatus Status, DateTime Clock, string Snapshot, SourceIdentity Identity, OldestWriter? Writer, ImmutableArray<string> Warnings)
{
    /// <summary>Changes nothing, and holds no snapshot for longer than a statement.</summary>
    public static async Task<SourceObservation> ReadAsync(
        PipelineOptions options, SourceStatus configured, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var server = await SourceServer.ReadAsync(connection, cancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
        var activity = await SourceActivity.ReadAsync(connection, options.PublisherName, table.Oid, cancellationToken);
        var mode = server.SeesAllSessions
            ? "exact: open transactions are seen, however long they take"
            : $"delay: a transaction open for more than {options.Postgres.LateCommitSeconds} s would be missed, "
                + "since the role is no member of pg_read_all_stats";
        // The fixed delay does not ask for sessions.
        var hidden = server.SeesAllSessions ? activity.Hidden : null;
        if (hidden is not null) mode += "; the lower bound stands still while a session hides when its transaction began";
        var status = configured with
        {
            Reachable = true, Version = activity.Version, Rows = activity.Rows, CaptureIsExact = server.SeesAllSessions, CaptureMode = mode,
            Poller = activity.Poller is { } p ? new PollerStatus(p.Pid, p.Application, p.ClientAddress, p.Since) : null,
            OldestTransaction = Described(activity.Oldest),
            HiddenTransaction = Described(hidden),
        };
        ImmutableArray<string> warnings = [.. table.Warnings().AddRange(server.Warnings(options.Postgres)).Select(w => w.ToString())];
        var identity = server.IdentityOf(options.Postgres, table.Oid);
        return new SourceObservation(status, activity.Clock, activity.Snapshot, identity, activity.Writer, warnings);
    }

    /// <summary>Whether the table has rows, or deletes, for the next window, as far as windows see them.</summary>
    /// <param name="options">Which table.</param>
    /// <param name="horizon">Up to which all is published.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <returns>Null: the server was started anew since, and its ids tell nothing.</returns>
    public static async Task<bool?> HasMoreAsync(PipelineOptions options, Horizon horizon, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var server = await SourceServer.ReadAsync(connection, cancellationToken);
        // Who may not see when the server's processes began takes each session's beginning for it.
        if (server.SeesAllSessions ? server.StartedAt != horizon.ServerStarted : await HasStartedSinceAsync(connection, horizon))
            return null;
        var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
        var recent = horizon.LowerBound is { } bound ? $" AND {table.NotBelow(bound)}" : "";
        var deletes = table.Tombstones is { } tombstones ? $" OR EXISTS ({tombstones.NotIn(horizon, table)})" : "";
        await using var command = new NpgsqlCommand(
            $"SELECT EXISTS (SELECT FROM {table.QualifiedName} WHERE NOT {horizon.Contains("xmin")}{recent}){deletes}", connection);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<bool> HasStartedSinceAsync(NpgsqlConnection connection, Horizon horizon)
    {
        await using var command = new NpgsqlCommand("SELECT pg_postmaster_start_time()", connection);
        return (DateTime)(await command.ExecuteScalarAsync())! > horizon.TakenAt;
    }

    internal static OpenTransaction? Described(OldestOpen? t) =>
        t is null ? null : new OpenTransaction(t.Kind, t.StartedAt, t.Seconds, t.Pid, t.Application);
}
