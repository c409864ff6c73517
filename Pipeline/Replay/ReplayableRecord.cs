using System.Text;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Rows;

namespace OrdersStream.Replay;

/// <summary>Makes of a quarantined record, and maybe its correction, what can be sent: nothing is that would only come back.</summary>
/// <param name="store">The schemas that are known here.</param>
/// <param name="newest">The fingerprint of the newest row of each partition.</param>
/// <param name="partitions">Of the topic.</param>
/// <param name="bytesMax">More than this no record can have.</param>
internal sealed class ReplayableRecord(SchemaStore store, IReadOnlyDictionary<int, string> newest, int partitions, long bytesMax)
{
    /// <summary>For what is said beside a record that is sent again.</summary>
    private const int OwnBytes = 1024;

    /// <summary>What the pipeline itself says by them would be said of another record.</summary>
    private static readonly string[] OwnHeaders =
    [
        StreamHeader.Schema, StreamHeader.Page, StreamHeader.PageEnd, StreamHeader.PageName, StreamHeader.Fence, StreamHeader.Position,
        StreamHeader.Op, StreamHeader.Replay,
    ];

    private readonly Dictionary<string, (MessageDecoder Decoder, DecodedRow Row)> decoders = [];

    /// <returns>Null: it is no row, and why stands in <paramref name="fault"/>, without a value (invariant 9).</returns>
    public OutgoingReplay? TryMake(QuarantinedRecord record, Correction? correction, out string fault)
    {
        var (key, value) = (correction?.Key ?? record.Key, correction?.Value ?? record.Value);
        fault = record.Place.Offset < 0 ? "its line cannot be read"
            : key is null ? "it has no key: give it one"
            : value is null ? "it has no value, so it is no row"
            : "";
        if (fault.Length > 0) return null;
        var op = correction?.Op ?? OpOf(record);
        if (op.Length is 0 or > 32 || !Ascii.IsValid(op) || op.Any(char.IsControl))
        {
            fault = "its header 'op' is no word: give it one";
            return null;
        }
        var to = DefaultPartitioner.Partition(key, partitions);
        if (FindSchema(record, to, value!, out fault) is not { } fingerprint) return null;
        var headers = record.Headers.Where(h => !OwnHeaders.Contains(h.Name)).ToList();
        // Once it is written down that it is sent, nothing else can be sent for it.
        if (key!.Length + value!.Length + headers.Sum(h => h.Name.Length + (h.Value?.Length ?? 0)) + OwnBytes > bytesMax)
        {
            fault = $"it is larger than a record may be ({bytesMax:N0} bytes)";
            return null;
        }
        if (op != RowOp.Upsert) headers.Add(new StreamHeader(StreamHeader.Op, Encoding.ASCII.GetBytes(op)));
        return new OutgoingReplay(record.Place, to, record.Version, fingerprint, key!, value!, headers);
    }

    // The record's own, that under which it was refused, those in force now.
    private string? FindSchema(QuarantinedRecord record, int to, byte[] value, out string fault)
    {
        fault = "";
        string?[] candidates = [Named(record), record.Fingerprint, newest.GetValueOrDefault(to), .. newest.Values];
        foreach (var fingerprint in candidates.OfType<string>().Distinct().Where(store.Has))
        {
            try
            {
                if (!decoders.TryGetValue(fingerprint, out var known))
                {
                    var schema = store.Read(fingerprint);
                    decoders[fingerprint] = known = (new MessageDecoder(schema), new DecodedRow(schema));
                }
                known.Decoder.Decode(value, known.Row);
                return fingerprint;
            }
            catch (UndecodableException e)
            {
                if (fault.Length == 0) fault = e.Message;
            }
        }
        if (fault.Length == 0) fault = "no schema is known here, as long as nothing of the table is stored";
        return null;
    }

    private static string? Named(QuarantinedRecord record)
    {
        var header = record.Headers.FirstOrDefault(h => h.Name == StreamHeader.Schema).Value;
        return header is not null && SchemaStore.IsFingerprint(header) ? Encoding.ASCII.GetString(header) : null;
    }

    private static string OpOf(QuarantinedRecord record)
    {
        var header = record.Headers.LastOrDefault(h => h.Name == StreamHeader.Op);
        return header.Name is null ? RowOp.Upsert : header.Value is null ? "" : Encoding.Latin1.GetString(header.Value);
    }
}
