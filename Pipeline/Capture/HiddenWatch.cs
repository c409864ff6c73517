using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Capture;

/// <summary>
/// Looks once a minute for a session that does not show when its transaction began: while one is there a horizon's bound stands still, and
/// each window reads as far back. One that two looks in a row have met is told, once, and when there is none any more.
/// </summary>
internal sealed class HiddenWatch(TimeProvider time, ILogger logger)
{
    public static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private long lookedAt = time.GetTimestamp();
    private int? lastSeen, announced;

    /// <summary>To be called as often as one likes.</summary>
    public async Task LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(lookedAt) < Interval) return;
        lookedAt = time.GetTimestamp();
        Looked(await OpenTransactions.OldestHiddenAsync(connection, cancellationToken));
    }

    internal void Looked(OldestOpen? hidden)
    {
        var pid = hidden?.Pid;
        // Another one, though not the one that was told, holds the bound just as well.
        if (announced is { } was && pid is null)
        {
            logger.NothingHidden(was);
            announced = null;
        }
        if (pid is not null && pid == lastSeen && pid != announced)
        {
            announced = pid;
            logger.TransactionHidden(pid.Value, hidden!.Application ?? "", hidden.Seconds);
        }
        lastSeen = pid;
    }
}
