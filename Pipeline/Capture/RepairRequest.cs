using System.Collections.Immutable;
using System.Text.Json;
using OrdersStream.Durable;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// Rows that are to be published again, whatever windows had of them. Only the poller publishes, so whoever wants it asks by a file in the
/// poller's state folder; it holds keys or times, and nothing else of a row.
/// </summary>
/// <param name="Reason">Who asks, for the log.</param>
/// <param name="Only">Which rows.</param>
/// <param name="Order">By what its keys are places (<see cref="SourceTable.Order"/>).</param>
/// <param name="Behind">The last row before those that are left; null: none was published yet.</param>
public sealed record RepairRequest(string Reason, RowSelection Only, string Order, Cursor? Behind = null)
{
    private const int FormatVersion = 1;

    /// <summary>Of its keys, those that the table has no row of are to be published as deleted.</summary>
    public bool IsDeletes { get; init; }

    /// <summary>The rest of it as a window of rows that are published, or should be.</summary>
    /// <param name="horizon">Up to which everything is published: what it does not have comes with the next window.</param>
    internal Window ToWindow(Horizon horizon) => new(0, null, horizon, null, 0, Behind, Order: Order) { Only = Only };

    /// <summary>Its keys, and its place among them, are of another key than the table has now.</summary>
    internal bool IsOfAnotherKey(SourceTable table) => (Only.HasKeys || Behind is not null) && Order != table.Order;

    internal byte[] ToStateFile(string stream) => StateEnvelope.Seal(FormatVersion, stream, json =>
    {
        json.WriteString("reason", Reason);
        json.WriteString("order", Order);
        if (Behind is { } behind)
        {
            json.WriteStartObject("behind");
            if (behind.Timestamp is { } timestamp) json.WriteString("timestamp", timestamp);
            WriteKey(json, "key", behind.Key);
            json.WriteEndObject();
        }
        if (Only.Keys is { } keys)
        {
            json.WriteStartArray("keys");
            foreach (var key in keys) WriteKey(json, null, key);
            json.WriteEndArray();
        }
        if (Only.FirstKey is { } first) WriteKey(json, "firstKey", first);
        if (Only.LastKey is { } last) WriteKey(json, "lastKey", last);
        if (Only.From is { } from) json.WriteString("from", from);
        if (Only.To is { } to) json.WriteString("to", to);
        if (IsDeletes) json.WriteBoolean("deletes", true);
    });

    /// <exception cref="FormatException">Torn, altered, of a later version, or another stream's.</exception>
    internal static RepairRequest FromStateFile(ReadOnlySpan<byte> file, string stream)
    {
        using var document = StateEnvelope.Open(file, FormatVersion, stream, isSealed: true);
        var root = document.RootElement;
        try
        {
            return new RepairRequest(
                root.GetProperty("reason").GetString()!,
                new RowSelection
                {
                    Keys = Member(root, "keys") is { } keys ? [.. keys.EnumerateArray().Select(KeyOf)] : null,
                    FirstKey = Member(root, "firstKey") is { } first ? KeyOf(first) : null,
                    LastKey = Member(root, "lastKey") is { } last ? KeyOf(last) : null,
                    From = Member(root, "from")?.GetDateTime(),
                    To = Member(root, "to")?.GetDateTime(),
                },
                root.GetProperty("order").GetString()!,
                Member(root, "behind") is { } behind
                    ? new Cursor(Member(behind, "timestamp")?.GetString(), KeyOf(behind.GetProperty("key"))) : null)
            {
                IsDeletes = Member(root, "deletes")?.GetBoolean() == true,
            };
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException("it is no request", e);
        }
    }

    private static JsonElement? Member(JsonElement of, string name) => of.TryGetProperty(name, out var member) ? member : null;

    private static ImmutableArray<string> KeyOf(JsonElement key) => [.. key.EnumerateArray().Select(part => part.GetString()!)];

    private static void WriteKey(Utf8JsonWriter json, string? name, ImmutableArray<string> key)
    {
        if (name is null) json.WriteStartArray();
        else json.WriteStartArray(name);
        foreach (var part in key) json.WriteStringValue(part);
        json.WriteEndArray();
    }
}
