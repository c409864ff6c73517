using System.Collections.Immutable;
using OrdersStream.Configuration;
using OrdersStream.Postgres;

namespace OrdersStream.Status;

/// <summary>What the source database shows at one moment.</summary>
/// <param name="Status">For the document.</param>
/// <param name="Clock">The database's.</param>
/// <param name="Snapshot">What is committed now, as Postgres prints it.</param>
/// <param name="Identity">Which table it is.</param>
/// <param name="Warnings">What an operator should know of table and role.</param>
internal sealed record SourceObservation(
    SourceStatus Status, DateTime Clock, string Snapshot, SourceIdentity Identity, ImmutableArray<string> Warnings)
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
        if (activity.AnyHidden) mode += "; the lower bound stands still while a session hides its activity (track_activities off)";
        var status = configured with
        {
            Reachable = true, Version = activity.Version, Rows = activity.Rows, CaptureIsExact = server.SeesAllSessions, CaptureMode = mode,
            Poller = activity.Poller is { } p ? new PollerStatus(p.Pid, p.Application, p.ClientAddress, p.Since) : null,
            OldestTransaction = activity.Oldest is { } o ? new OpenTransaction(o.Kind, o.StartedAt, o.Seconds, o.Pid, o.Application) : null,
        };
        var warnings = table.Warnings().AddRange(server.Warnings(options.Postgres));
        var identity = new SourceIdentity(server.System, server.Timeline, options.Postgres.Db, status.Table, table.Oid);
        return new SourceObservation(status, activity.Clock, activity.Snapshot, identity, warnings);
    }
}
