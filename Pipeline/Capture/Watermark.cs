using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// Where capture has got to. The same text stands in the watermark file and, without the offsets, in the position header of
/// every page: whichever is newer tells the truth, so no second store has to agree with Kafka (invariant 2).
/// </summary>
/// <param name="Source">The table that was read.</param>
/// <param name="Topic">The topic that was published to.</param>
/// <param name="WindowNumber">Number of the last window taken.</param>
/// <param name="Horizon">The horizon up to which everything is published; null: the initial load is not done.</param>
/// <param name="Window">The window in progress; null: none.</param>
/// <param name="Offsets">Per partition, an offset at or before the end after the last page: where the topic's tail is read from.</param>
/// <param name="Rows">Row versions published in the stream's life; for those who look, nothing depends on it.</param>
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

    public byte[] ToJson(bool indented)
    {
        var options = indented ? Indented : Compact;
        return JsonSerializer.SerializeToUtf8Bytes(new Versioned(FormatVersion, this), options.GetTypeInfo(typeof(Versioned)));
    }

    /// <exception cref="FormatException">No watermark, or one of a later version.</exception>
    public static Watermark FromJson(ReadOnlySpan<byte> json)
    {
        try
        {
            // First: of a later version, nothing else is known.
            if (VersionOf(json) is var version and not FormatVersion) throw new FormatException($"it is of version {version}, and this program reads version {FormatVersion}");
            return ((Versioned?)JsonSerializer.Deserialize(json, Compact.GetTypeInfo(typeof(Versioned))))?.Watermark ?? throw new FormatException("it holds no watermark");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException("it is not the JSON of a watermark", e);
        }
    }

    private static int VersionOf(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        using var document = JsonDocument.ParseValue(ref reader);
        return document.RootElement.GetProperty("version").GetInt32();
    }

    private const int FormatVersion = 1;

    internal sealed record Versioned(int Version, Watermark Watermark);

    private static readonly JsonSerializerOptions Compact = WatermarkJson.With(indented: false);
    private static readonly JsonSerializerOptions Indented = WatermarkJson.With(indented: true);
}
