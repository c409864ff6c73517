using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Status;

/// <summary>The status as the one JSON document of <c>/api/status</c> and <c>status --json</c>.</summary>
public static class StatusDocument
{
    /// <summary>snake_case names, enums as lower-case words, times in ISO-8601.</summary>
    public static byte[] ToJson(PipelineStatus status, bool indented = false) =>
        JsonSerializer.SerializeToUtf8Bytes(status, (indented ? Indented : Compact).GetTypeInfo(typeof(PipelineStatus)));

    /// <summary>Rates and lags alone, in the same way.</summary>
    public static byte[] ToJson(FlowStatus flow) => JsonSerializer.SerializeToUtf8Bytes(flow, Compact.GetTypeInfo(typeof(FlowStatus)));

    private static readonly JsonSerializerOptions Compact = With(indented: false);
    private static readonly JsonSerializerOptions Indented = With(indented: true);

    private static JsonSerializerOptions With(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = indented,
        NewLine = "\n",
        Converters =
        {
            new JsonStringEnumConverter<Health>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<HalfState>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<Diagnostics.FailureAction>(JsonNamingPolicy.SnakeCaseLower),
        },
        TypeInfoResolver = StatusJson.Default,
    };
}

[JsonSerializable(typeof(PipelineStatus))]
[JsonSerializable(typeof(FlowStatus))]
internal sealed partial class StatusJson : JsonSerializerContext;
