using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Capture;

/// <summary>How a watermark is written as JSON. The serializers are made at build time: none is worked out at start.</summary>
[JsonSerializable(typeof(Watermark.Versioned))]
internal sealed partial class WatermarkJson : JsonSerializerContext
{
    public static JsonSerializerOptions With(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = indented,
        NewLine = "\n",
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
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
