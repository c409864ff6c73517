using System.Text;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// The schema of a record that none before it in the batch or the log named one for. A page's first record names it, so
/// it is looked for in the records before; a topic that another producer filled has none, and the table's present one is taken.
/// </summary>
internal sealed class SchemaFinder(
    TopicAccess topic, SchemaStore store, Func<CancellationToken, Task<TableSchema>>? presentSchema, TimeProvider time, ILogger logger)
{
    /// <summary>How far back, at most: more than the largest page.</summary>
    private static readonly long[] Distances = [10_000, 1_000_000];

    /// <summary>A flood of records that are no rows does not become a flood of questions to Postgres.</summary>
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(10);

    private long? askedAt;

    /// <summary>The schema for a record, and whether it is only assumed.</summary>
    /// <param name="partition">Its partition.</param>
    /// <param name="offset">Its offset.</param>
    /// <param name="hasPages">Pages came before it, whose schemas are known: what names another is another producer's.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public async Task<(TableSchema Schema, bool IsAssumed)> FindAsync(
        int partition, long offset, bool hasPages, CancellationToken cancellationToken)
    {
        if (await ReadBackAsync(partition, offset, hasPages, cancellationToken) is { } named) return (named, false);
        var present = await PresentAsync(partition, offset, cancellationToken);
        logger.SchemaAssumed(partition, present.Fingerprint, offset);
        return (present, true);
    }

    /// <summary>
    /// The table's present schema where it differs from <paramref name="assumed"/>;
    /// null where it does not, or was asked for just now.
    /// </summary>
    public async Task<TableSchema?> FindNewerAsync(TableSchema assumed, int partition, long offset, CancellationToken cancellationToken)
    {
        if (presentSchema is null || (askedAt is { } last && time.GetElapsedTime(last) < AskAgainAfter)) return null;
        var present = await PresentAsync(partition, offset, cancellationToken);
        if (present.Fingerprint == assumed.Fingerprint) return null;
        logger.SchemaAssumed(partition, present.Fingerprint, offset);
        return present;
    }

    /// <summary>The fingerprint that a record's own header names; null where it has none of ours, or brings the schema along.</summary>
    public static string? FingerprintIn(IReadOnlyList<StreamHeader>? headers)
    {
        if (headers is null || headers.Any(h => h.Name == StreamHeader.Page)) return null;
        foreach (var header in headers)
            if (header.Name == StreamHeader.Schema && header.Value is { } value && SchemaStore.IsFingerprint(value))
                return Encoding.ASCII.GetString(value);
        return null;
    }

    /// <summary>Writes a schema again that pages in the topic bring along.</summary>
    /// <returns>False: none near the offset does.</returns>
    public async Task<bool> RestoreAsync(int partition, long offset, string fingerprint, CancellationToken cancellationToken)
    {
        var (low, _) = await topic.OffsetsAsync(partition, cancellationToken);
        await foreach (var record in topic.ReadRangeAsync(partition, Math.Max(low, offset - Distances[0]), offset, cancellationToken))
            if (FingerprintIn(record.Headers) is null && SchemaIn(in record, hasPages: true)?.Fingerprint == fingerprint) return true;
        return false;
    }

    private TableSchema? SchemaIn(in StreamRecord record, bool hasPages)
    {
        // What is sent again from quarantine is of the schema that was in force then.
        if (record.Headers?.Any(h => h.Name == StreamHeader.Replay) == true) return null;
        if (FingerprintIn(record.Headers) is { } fingerprint)
            return hasPages && !store.Has(fingerprint) ? null : store.Read(fingerprint);
        foreach (var header in record.Headers ?? [])
        {
            if (header.Name != StreamHeader.Page || header.Value is not { } frame) continue;
            if (SchemaOf(frame, in record) is not { } schema) continue;
            store.Write(schema);
            return schema;
        }
        return null;
    }

    private TableSchema? SchemaOf(byte[] frame, in StreamRecord record)
    {
        try
        {
            return PageStart.Read(frame, topic.Identity.Topic)?.ReadSchema();
        }
        catch (FormatException e)
        {
            throw PageFrame.ToStop(e, topic.Identity.Topic, record.Partition, record.Offset);
        }
    }

    private async Task<TableSchema?> ReadBackAsync(int partition, long offset, bool hasPages, CancellationToken cancellationToken)
    {
        var (low, _) = await topic.OffsetsAsync(partition, cancellationToken);
        var end = offset;
        foreach (var distance in Distances)
        {
            var from = Math.Max(low, offset - distance);
            TableSchema? newest = null;
            if (from < end)
                await foreach (var record in topic.ReadRangeAsync(partition, from, end, cancellationToken))
                    newest = SchemaIn(in record, hasPages) ?? newest;
            if (newest is not null) return newest;
            end = from;
        }
        return null;
    }

    private async Task<TableSchema> PresentAsync(int partition, long offset, CancellationToken cancellationToken)
    {
        if (presentSchema is null)
            throw new PipelineException(FailureAction.Stop,
                $"No record of topic '{topic.Identity.Topic}', partition {partition}, at or before offset {offset} names its schema, "
                + "and the table cannot be asked.",
                "Let KafkaToLake reach Postgres (the postgres section of the configuration), "
                + "so that it can take the table's present schema.");
        var schema = await presentSchema(cancellationToken);
        askedAt = time.GetTimestamp();
        store.Write(schema);
        return schema;
    }
}
