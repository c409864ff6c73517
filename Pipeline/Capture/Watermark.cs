using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// Where capture has got to. The same text stands in the watermark file and, without the offsets, in the position header of
/// every page: whichever is newer holds, so no second store has to agree with Kafka (invariant 2).
/// </summary>
/// <param name="Source">The table that was read.</param>
/// <param name="Topic">The topic that was published to.</param>
/// <param name="WindowNumber">Number of the last window taken.</param>
/// <param name="Horizon">The horizon up to which everything is published; null: the initial load is not done.</param>
/// <param name="Window">The window in progress; null: none.</param>
/// <param name="Offsets">Per partition, an offset at or before the end after the last page: where the topic's tail is read from.</param>
/// <param name="Rows">Row versions published in the stream's life; for the stream's status, nothing depends on it.</param>
public sealed record Watermark(
    SourceIdentity Source,
    TopicIdentity Topic,
    long WindowNumber,
    Horizon? Horizon,
    Window? Window,
    ImmutableSortedDictionary<int, long> Offsets,
    long Rows = 0)
{
    /// <summary>The position as one number pair: windows count up, and pages in each.</summary>
    [JsonIgnore]
    public (long Window, int Page) Position => (WindowNumber, Window?.Page ?? int.MaxValue);

    /// <summary>No offset known.</summary>
    public static ImmutableSortedDictionary<int, long> NoOffsets => ImmutableSortedDictionary<int, long>.Empty;

    /// <summary>Nothing read, nothing published.</summary>
    public static Watermark Start(SourceIdentity source, TopicIdentity topic) =>
        new(source, topic, 0, null, null, NoOffsets);

    /// <summary>A window is taken; nothing of it is published yet.</summary>
    public Watermark Begin(Window window) => this with { WindowNumber = window.Number, Window = window };

    /// <summary>One more page of so many rows is published, up to <paramref name="cursor"/>.</summary>
    public Watermark Advance(Cursor cursor, int rows) =>
        this with { Window = Window! with { Page = Window.Page + 1, Cursor = cursor, Rows = Window.Rows + rows }, Rows = Rows + rows };

    /// <summary>The window is published whole.</summary>
    public Watermark Complete() => this with { Horizon = Window!.To, Window = null };

    /// <summary>As the position header of a page.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(new Versioned(FormatVersion, this), Json.GetTypeInfo(typeof(Versioned)));

    /// <summary>As the watermark file.</summary>
    internal byte[] ToStateFile() => StateEnvelope.Seal(FormatVersion, Topic.Topic, json =>
    {
        json.WritePropertyName(Member);
        JsonSerializer.Serialize(json, this, Json.GetTypeInfo(typeof(Watermark)));
    });

    /// <summary>Reads what <see cref="ToJson"/> or <see cref="ToStateFile"/> wrote.</summary>
    /// <exception cref="FormatException">No watermark, torn, altered, or one of a later version.</exception>
    public static Watermark FromJson(ReadOnlySpan<byte> json)
    {
        try
        {
            using var document = StateEnvelope.Open(json, FormatVersion);
            return (Watermark?)document.RootElement.GetProperty(Member).Deserialize(Json.GetTypeInfo(typeof(Watermark)))
                ?? throw new FormatException("it holds no watermark");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException
            or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException("it is not the JSON of a watermark", e);
        }
    }

    private const int FormatVersion = 1;
    private const string Member = "watermark";

    internal sealed record Versioned(int Version, Watermark Watermark);

    private static readonly JsonSerializerOptions Json = WatermarkJson.NewOptions();
}

/// <summary>How a watermark is written as JSON. The serializers are made at build time: none is worked out at start.</summary>
[JsonSerializable(typeof(Watermark.Versioned))]
[JsonSerializable(typeof(Watermark))]
internal sealed partial class WatermarkJson : JsonSerializerContext
{
    public static JsonSerializerOptions NewOptions() => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new TransactionIdRanges() },
        TypeInfoResolver = Default,
    };
}

/// <summary>
/// Ascending transaction ids as ranges: <c>"1000-1999,2003"</c>. Behind a transaction that stays open for an hour there may be
/// hundreds of thousands, nearly all of them neighbours.
/// </summary>
internal sealed class TransactionIdRanges : JsonConverter<ImmutableArray<uint>>
{
    private const int IdsMax = 10_000_000;

    public override ImmutableArray<uint> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var ids = ImmutableArray.CreateBuilder<uint>();
        foreach (var range in (reader.GetString() ?? throw new JsonException()).Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var dash = range.IndexOf('-');
            if (!uint.TryParse(dash < 0 ? range : range[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || !uint.TryParse(dash < 0 ? range : range[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
                || last < first || last - first > IdsMax - ids.Count)
                throw new JsonException("not a list of transaction ids");
            for (ulong id = first; id <= last; id++) ids.Add((uint)id);
        }
        return ids.ToImmutable();
    }

    public override void Write(Utf8JsonWriter writer, ImmutableArray<uint> value, JsonSerializerOptions options)
    {
        var text = new StringBuilder();
        for (int i = 0, end; i < value.Length; i = end)
        {
            for (end = i + 1; end < value.Length && value[end] == value[end - 1] + 1; end++) { }
            if (i > 0) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{value[i]}");
            if (end - i > 1) text.Append(CultureInfo.InvariantCulture, $"-{value[end - 1]}");
        }
        writer.WriteStringValue(text.ToString());
    }
}
