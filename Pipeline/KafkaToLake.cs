using OrdersStream.Kafka;

namespace OrdersStream;

/// <summary>What became of one batch.</summary>
/// <param name="Rows">Rows written to Parquet.</param>
/// <param name="Quarantined">Records put into quarantine.</param>
/// <param name="AlreadyStored">Records below the log's next offset: redelivered, dropped.</param>
/// <param name="Files">Parquet files that became visible.</param>
/// <param name="Bytes">Their size on disk.</param>
/// <param name="Duration">Time for the whole batch.</param>
public sealed record BatchResult(long Rows, long Quarantined, long AlreadyStored, int Files, long Bytes, TimeSpan Duration);

// Contract; the storing half. One instance serves one process.
public sealed class KafkaToLake
{
    /// <summary>
    /// Stores one delivered batch: any mix of partitions, each in offset order, gaps allowed, redelivery allowed.
    /// On return every record is durable in the lake, as a row or in quarantine.
    /// </summary>
    public Task<BatchResult> StoreAsync(IReadOnlyList<StreamRecord> records, CancellationToken cancellationToken) => throw new NotImplementedException();
}
