using System.Text.Json;
using System.Text.Json.Nodes;
using OrdersStream.TestKit;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The files beside the code, as the platform reads them.</summary>
internal static class ShippedFiles
{
    /// <summary>Strict JSON.</summary>
    public static JsonNode Json(string name) =>
        JsonNode.Parse(File.ReadAllText(Repository.PathOf(name)), null, new JsonDocumentOptions { AllowDuplicateProperties = false })!;

    public static Dictionary<string, string> LocalSettings() =>
        Json("local.settings.json")["Values"]!.AsObject().ToDictionary(v => v.Key, v => v.Value!.GetValue<string>());
}
