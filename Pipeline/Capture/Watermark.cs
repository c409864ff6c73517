using System.Collections.Immutable;
using System.Globalization;
using System.IO.Compression;
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
/// <param name="PageNumber">
/// Number of the newest page: grows by one for ever, across windows. Of two positions the one with the greater number is newer,
/// whoever wrote them; 0: no page of topic format 2 yet.
/// </param>
/// <param name="Pages">Per partition, the number of the newest page with records there.</param>
/// <param name="UsedNumber">
/// Up to here numbers may have been used for pages of which nothing is known any more (<see cref="PassNumberOver"/>). It says nothing of
/// which position is newer.
/// </param>
/// <param name="Lost">
/// How many offsets the brokers lost, per partition, until it is decided where to go on: what is sent meanwhile hides it again.
/// </param>
/// <param name="Delivery">How the newest session of the file's pollers sends pages, as kafka.delivery; null: it is not known.</param>
public sealed record Watermark(
    SourceIdentity Source,
    TopicIdentity Topic,
    long WindowNumber,
    Horizon? Horizon,
    Window? Window,
    ImmutableSortedDictionary<int, long> Offsets,
    long Rows = 0,
    long PageNumber = 0,
    ImmutableSortedDictionary<int, long>? Pages = null,
    long UsedNumber = 0,
    ImmutableSortedDictionary<int, long>? Lost = null,
    string? Delivery = null)
{
    /// <summary>
    /// The position as numbers: pages count up, and windows, since one may end without a page. Windows of two histories are numbered
    /// apart, so they only decide where the page is the same.
    /// </summary>
    [JsonIgnore]
    public (long Page, long Window, int PageOfWindow) Position => (PageNumber, WindowNumber, Window?.Page ?? int.MaxValue);

    /// <summary>Of the file alone: what may be removed when it was published for long enough; null: nothing yet.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PublishedTombstones? Tombstones { get; init; }

    /// <summary>No offset known.</summary>
    public static ImmutableSortedDictionary<int, long> NoOffsets => ImmutableSortedDictionary<int, long>.Empty;

    /// <summary>Nothing read, nothing published.</summary>
    public static Watermark Start(SourceIdentity source, TopicIdentity topic) =>
        new(source, topic, 0, null, null, NoOffsets);

    /// <summary>It, behind a look at the database's clock; the same where the clock did not go back since its newest horizon.</summary>
    public Watermark Seeing(DateTime clock)
    {
        if ((Window?.To ?? Horizon) is not { } newest || clock >= newest.LeastClock) return this;
        newest = newest.Seeing(clock);
        return Window is null ? this with { Horizon = newest } : this with { Window = Window with { To = newest } };
    }

    /// <summary>A window is taken; nothing of it is published yet.</summary>
    public Watermark Begin(Window window) => this with { WindowNumber = window.Number, Window = window };

    /// <summary>
    /// The next number is nobody's: a session before may have used it, and that page been stored and lost by the brokers since. It is
    /// written down before a session's first page, so that no two pages ever have one number (invariants 3 and 12); and how that is sent,
    /// so that who sends otherwise refuses it should it sleep.
    /// </summary>
    public Watermark PassNumberOver(string delivery) => this with { UsedNumber = NextNumber, Delivery = delivery };

    /// <summary>It, and the most that was lost of each partition; the same where nothing is added.</summary>
    public Watermark WithLost(ImmutableSortedDictionary<int, long> lost)
    {
        var known = Lost ?? NoOffsets;
        var more = lost.Where(l => l.Value > known.GetValueOrDefault(l.Key)).ToList();
        return more.Count == 0 ? this : this with { Lost = known.SetItems(more) };
    }

    private long NextNumber => Math.Max(PageNumber, UsedNumber) + 1;

    /// <summary>One more page of so many rows is published, up to <paramref name="cursor"/>.</summary>
    public Watermark Advance(Cursor cursor, int rows) => this with
    {
        Window = Window! with { Page = Window.Page + 1, Cursor = cursor, Rows = Window.Rows + rows },
        Rows = Rows + rows,
        PageNumber = NextNumber,
    };

    /// <summary>One more page of so many deletes is published, up to the tombstone <paramref name="cursor"/>.</summary>
    public Watermark AdvanceDeletes(Cursor cursor, int rows) => this with
    {
        Window = Window! with { Page = Window.Page + 1, Deleted = cursor, Rows = Window.Rows + rows },
        Rows = Rows + rows,
        PageNumber = NextNumber,
    };

    /// <summary>One more page of so many rows that count as deleted is published, up to <paramref name="cursor"/>.</summary>
    public Watermark AdvanceMarked(Cursor cursor, int rows) => this with
    {
        Window = Window! with { Page = Window.Page + 1, Marked = cursor, Rows = Window.Rows + rows },
        Rows = Rows + rows,
        PageNumber = NextNumber,
    };

    /// <summary>One more page of so many rows is published beside the windows: the position stays where it is.</summary>
    public Watermark AdvanceBeside(int rows) => this with { Rows = Rows + rows, PageNumber = NextNumber };

    /// <summary>Number of the newest page, per partition that has one.</summary>
    [JsonIgnore]
    public ImmutableSortedDictionary<int, long> PagesOrNone => Pages ?? NoOffsets;

    /// <summary>The page of this position was sent.</summary>
    /// <param name="counts">Records per partition.</param>
    /// <param name="isTransactional">
    /// A record takes one offset and so does each partition's transaction marker. Others' records only move the true end further.
    /// </param>
    public Watermark Sent(int[] counts, bool isTransactional)
    {
        var (offsets, pages) = (Offsets.ToBuilder(), PagesOrNone.ToBuilder());
        for (var p = 0; p < counts.Length; p++)
        {
            if (counts[p] == 0) continue;
            offsets[p] = offsets.GetValueOrDefault(p) + counts[p] + (isTransactional ? 1 : 0);
            pages[p] = PageNumber;
        }
        return this with { Offsets = offsets.ToImmutable(), Pages = pages.ToImmutable() };
    }

    /// <summary>The window is published whole.</summary>
    public Watermark Complete() => this with { Horizon = Window!.To with { ReadFrom = WindowBound.Of(Window) }, Window = null };

    /// <summary>
    /// As the position header of a page. Which pages were there before it stays in, for who has an older file or none, by how far they are
    /// behind it: of many partitions it would not be small otherwise.
    /// </summary>
    public byte[] ToPosition() =>
        (WithPages(n => PageNumber - n) with { Offsets = NoOffsets, UsedNumber = 0, Lost = null, Delivery = null, Tombstones = null })
        .ToJson();

    private Watermark WithPages(Func<long, long> number) =>
        this with { Pages = Pages?.ToImmutableSortedDictionary(p => p.Key, p => number(p.Value)) };

    /// <summary>Says of a position where it is written: in the same page's part in another partition.</summary>
    public byte[] ToReference(int partition) => JsonSerializer.SerializeToUtf8Bytes(
        new VersionedReference(FormatVersion, PageNumber, partition), Json.GetTypeInfo(typeof(VersionedReference)));

    /// <summary>Reads what <see cref="ToPosition"/> wrote; null: it is written in another partition.</summary>
    /// <exception cref="FormatException">No position, or one of a later version.</exception>
    public static Watermark? ReadPosition(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty(ReferenceMember, out _)) return null;
        }
        catch (JsonException)
        {
            // Said below.
        }
        var position = FromJson(json);
        return position.WithPages(behind => position.PageNumber - behind);
    }

    internal byte[] ToJson() =>
        JsonSerializer.SerializeToUtf8Bytes(new Versioned(FormatVersion, this), Json.GetTypeInfo(typeof(Versioned)));

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

    private const int FormatVersion = 3;
    private const string Member = "watermark";

    private const string ReferenceMember = "inPartition";

    internal sealed record VersionedReference(int Version, long Page, int InPartition);

    internal sealed record Versioned(int Version, Watermark Watermark);

    private static readonly JsonSerializerOptions Json = WatermarkJson.NewOptions();
}

/// <summary>How a watermark is written as JSON. The serializers are made at build time: none is worked out at start.</summary>
[JsonSerializable(typeof(Watermark.Versioned))]
[JsonSerializable(typeof(Watermark.VersionedReference))]
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
/// hundreds of thousands. Mostly they are neighbours; where they are not, the distances from one to the next are written packed:
/// a position of a megabyte would not fit a record.
/// </summary>
internal sealed class TransactionIdRanges : JsonConverter<ImmutableArray<uint>>
{
    private const int IdsMax = 10_000_000;
    private const int TextMax = 512;
    private const char Packed = '~';

    public override ImmutableArray<uint> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var written = reader.GetString() ?? throw new JsonException();
        if (written.StartsWith(Packed)) return Unpack(written);
        var ids = ImmutableArray.CreateBuilder<uint>();
        foreach (var range in written.Split(',', StringSplitOptions.RemoveEmptyEntries))
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
        var packed = text.Length > TextMax ? Pack(value) : null;
        writer.WriteStringValue(packed?.Length < text.Length ? packed : text.ToString());
    }

    private static string Pack(ImmutableArray<uint> ids)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        using (var distances = new BinaryWriter(brotli))
        {
            var last = 0u;
            foreach (var id in ids)
            {
                distances.Write7BitEncodedInt64(id - last);
                last = id;
            }
        }
        return Packed + Convert.ToBase64String(packed.GetBuffer().AsSpan(0, (int)packed.Length));
    }

    private static ImmutableArray<uint> Unpack(string written)
    {
        var ids = ImmutableArray.CreateBuilder<uint>();
        try
        {
            using var brotli = new BrotliStream(new MemoryStream(Convert.FromBase64String(written[1..])), CompressionMode.Decompress);
            using var distances = new MemoryStream();
            brotli.CopyTo(distances);
            distances.Position = 0;
            using var reader = new BinaryReader(distances);
            long id = 0;
            while (distances.Position < distances.Length && ids.Count < IdsMax)
            {
                id += reader.Read7BitEncodedInt64();
                if (id is < 0 or > uint.MaxValue) throw new FormatException();
                ids.Add((uint)id);
            }
            return ids.ToImmutable();
        }
        catch (Exception e) when (e is FormatException or IOException or InvalidDataException or InvalidOperationException)
        {
            throw new JsonException("not packed transaction ids", e);
        }
    }
}
