using System.Globalization;
using System.Text.Json;
using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// How many bytes one batch of the Kafka trigger may have. The trigger counts records only, and a batch goes from the host to the worker
/// as one message: one that is too large for the worker's memory ends what listens there, and nothing comes any more.
/// </summary>
/// <param name="Records">Most records of a batch: <c>extensions.kafka.maxBatchSize</c>.</param>
/// <param name="Bytes">Most bytes of their keys and values.</param>
/// <param name="HeapBytes">What the worker may use in all.</param>
public sealed record BatchLimit(int Records, long Bytes, long HeapBytes)
{
    /// <summary>Names the number of records for the host, before the file does.</summary>
    public const string Variable = "AzureFunctionsJobHost__extensions__kafka__maxBatchSize";

    /// <summary>
    /// A batch of this part of the worker's heap passes, seen with the host's and the worker's own packages; one of twice as much does not.
    /// </summary>
    private const int PartOfHeap = 36;

    /// <summary>However much memory there is: the message that carries it has a limit, too.</summary>
    private const long BytesMax = 64L * 1024 * 1024;

    /// <summary>What the trigger takes where nothing is said.</summary>
    private const int RecordsDefault = 64;

    private const string File = "host.json";

    /// <param name="appFolder">Where <c>host.json</c> lies.</param>
    /// <param name="environment">What the host was given, as the worker has it from the host.</param>
    /// <param name="heapBytes">What the worker may use in all.</param>
    public static BatchLimit Of(string appFolder, IReadOnlyDictionary<string, string> environment, long heapBytes) =>
        new(OfEnvironment(environment) ?? OfFile(Path.Combine(appFolder, File)) ?? RecordsDefault,
            Math.Min(heapBytes / PartOfHeap, BytesMax), heapBytes);

    /// <param name="rowBytes">Of key and value, on average.</param>
    /// <exception cref="PipelineException">A batch of such rows would be too large.</exception>
    public void Check(double rowBytes)
    {
        if (rowBytes * Records <= Bytes) return;
        throw new PipelineException(
            FailureAction.Stop,
            $"Rows have {Shown(rowBytes)} bytes on average, so that a batch of {Shown(Records)} (maxBatchSize) has "
            + $"{Mega(rowBytes * Records)} MB, and no more than {Mega(Bytes)} MB reach a worker that may use {Mega(HeapBytes)} MB.",
            $"Set {Variable} to {RecordsFor(rowBytes)}, or give the worker more memory, and start again.");
    }

    /// <summary>A round number of records.</summary>
    private int RecordsFor(double rowBytes)
    {
        var most = (int)Math.Clamp(Bytes / rowBytes, 1, Records);
        var step = (int)Math.Pow(10, Math.Max(0, Math.Floor(Math.Log10(most)) - 1));
        return most / step * step;
    }

    private static string Shown(double number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private static string Mega(double bytes) => (bytes / 1_000_000).ToString("N1", CultureInfo.InvariantCulture);

    private static int? OfEnvironment(IReadOnlyDictionary<string, string> environment) =>
        environment.FirstOrDefault(s => s.Key.Replace(":", "__").Equals(Variable, StringComparison.OrdinalIgnoreCase)).Value is { } given
            && int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var records) && records > 0 ? records : null;

    private static int? OfFile(string path)
    {
        if (!System.IO.File.Exists(path)) return null;
        using var host = JsonDocument.Parse(
            System.IO.File.ReadAllBytes(path), new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        var at = host.RootElement;
        foreach (var name in (string[])["extensions", "kafka", "maxBatchSize"])
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at)) return null;
        return at.ValueKind == JsonValueKind.Number && at.TryGetInt32(out var records) && records > 0 ? records : null;
    }
}
