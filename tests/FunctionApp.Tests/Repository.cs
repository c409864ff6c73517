using System.Text.Json;
using System.Text.Json.Nodes;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The files beside the code, as they lie in the repository.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string PathOf(string name) => Path.Combine(Root, name);

    /// <summary>As the platform reads it: strict JSON.</summary>
    public static JsonNode Json(string name) => JsonNode.Parse(File.ReadAllText(PathOf(name)), null, new JsonDocumentOptions { AllowDuplicateProperties = false })!;

    public static Dictionary<string, string> LocalSettings() =>
        Json("local.settings.json")["Values"]!.AsObject().ToDictionary(v => v.Key, v => v.Value!.GetValue<string>());

    private static string Find()
    {
        var at = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "OrdersStream.slnx"))) at = at.Parent!;
        return at.FullName;
    }
}
