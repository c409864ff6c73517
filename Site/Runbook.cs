using System.Text.Json;
using System.Text.RegularExpressions;

namespace OrdersStream.Site;

/// <summary>
/// The rows of docs/operations.md for what can page someone, as the program was built with it: so that a problem on the page leads to its
/// row where neither repository nor network is at hand.
/// </summary>
internal static partial class Runbook
{
    private const string Heading = "## What can page someone";

    private static readonly Lazy<byte[]> Json = new(() => ToJson(Read()));

    /// <summary>A list of rows, each with its id, what a line says, what that means, what is safe meanwhile, and what to do.</summary>
    public static ReadOnlyMemory<byte> Document => Json.Value;

    private static string Read()
    {
        using var stream = typeof(Runbook).Assembly.GetManifestResourceStream("operations.md")
            ?? throw new InvalidOperationException("The program lacks docs/operations.md.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    private static byte[] ToJson(string document)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartArray();
            string[] before = ["", "", "", ""];
            // Behind the heading: the names of the columns, and the line below them.
            foreach (var line in document.Split('\n').SkipWhile(l => l != Heading).Skip(3).TakeWhile(l => l.StartsWith('|')))
            {
                var cells = line.Trim('|').Split('|').Select(c => c.Trim()).ToArray();
                before = [.. cells.Select((cell, i) => cell == "as above" ? before[i] : cell)];
                Write(json, before);
            }
            json.WriteEndArray();
        }
        return text.ToArray();
    }

    private static void Write(Utf8JsonWriter json, string[] cells)
    {
        var says = Code().Matches(cells[0]).Select(m => m.Groups[1].Value).ToList();
        json.WriteStartObject();
        json.WriteString("id", NotInId().Replace(says[0].ToLowerInvariant(), "-").Trim('-'));
        json.WriteStartArray("says");
        foreach (var text in says) json.WriteStringValue(text);
        json.WriteEndArray();
        json.WriteString("meaning", Plain(cells[1]));
        json.WriteString("safe", Plain(cells[2]));
        json.WriteString("remedy", Plain(cells[3]));
        json.WriteEndObject();
    }

    /// <summary>Without what marks code, emphasis and links.</summary>
    private static string Plain(string cell) => Link().Replace(cell, "$1").Replace("`", "", StringComparison.Ordinal);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex NotInId();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]*\)")]
    private static partial Regex Link();
}
