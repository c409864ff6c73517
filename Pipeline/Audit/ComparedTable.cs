using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.Audit;

/// <summary>The table that a lake is compared with: the one that was captured, and no other of its name (invariant 6).</summary>
internal static class ComparedTable
{
    /// <summary>Reads the catalogue.</summary>
    /// <exception cref="PipelineException">The configuration leads to another table, or capture has not seen this one yet.</exception>
    public static async Task<SourceTable> ReadAsync(
        NpgsqlConnection connection, PipelineOptions options, CancellationToken cancellationToken)
    {
        var server = await SourceServer.ReadAsync(connection, cancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
        // Without a position nothing is known to be published, and nothing is called equal.
        if (new WatermarkFile(options).Read()?.Source is not { } captured) return table;
        var present = server.IdentityOf(options.Postgres, table.Oid);
        captured.CheckSameTable(present);
        // What was committed on the one timeline behind the place where they part is not on the other.
        if (captured.Timeline != present.Timeline)
            throw new PipelineException(FailureAction.Retry,
                $"The position of this stream is of timeline {captured.Timeline}, and the server is on timeline {present.Timeline}, "
                + "so lake and table cannot be compared.",
                "After a failover, or a backup that was restored, let PostgresToKafka run: it finds what the server has otherwise. If the "
                + "configuration leads to a copy, correct it.");
        return table;
    }
}
