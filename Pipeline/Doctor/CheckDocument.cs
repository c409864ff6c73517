using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Doctor;

/// <summary>What a check found as the JSON document of <c>check --json</c>.</summary>
public static class CheckDocument
{
    /// <summary>snake_case names, enums as lower-case words, times in ISO-8601.</summary>
    public static byte[] ToJson(CheckReport report) =>
        JsonSerializer.SerializeToUtf8Bytes(report, Options.GetTypeInfo(typeof(CheckReport)));

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        Converters =
        {
            new JsonStringEnumConverter<Grade>(JsonNamingPolicy.SnakeCaseLower),
            new JsonStringEnumConverter<Readiness>(JsonNamingPolicy.SnakeCaseLower),
        },
        TypeInfoResolver = CheckJson.Default,
    };
}

[JsonSerializable(typeof(CheckReport))]
internal sealed partial class CheckJson : JsonSerializerContext;
