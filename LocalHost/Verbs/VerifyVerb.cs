using System.Globalization;
using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>verify</c> was asked to compare.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="ShowKeys">Also name differing rows by their keys, which are data.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record VerifyOptions(PipelineOptions Pipeline, bool ShowKeys, LogLevel LogLevel);

/// <summary>Compares the lake with the source table.</summary>
public static class VerifyVerb
{
    /// <returns>0 when they agree; 1 when they differ or could not be compared.</returns>
    public static async Task<int> ExecuteAsync(VerifyOptions options, CancellationToken cancellationToken)
    {
        await using var stream = LocalStream.Open(
            options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);
        var compared = await stream.Comparison.CompareAsync(cancellationToken);
        Print(compared, options.ShowKeys);
        return compared.IsEqual ? ExitCode.Ok : ExitCode.Failure;
    }

    private static void Print(ComparisonResult c, bool showKeys)
    {
        Say($"table       {c.TableRows,15:N0} rows");
        Say($"lake        {c.LakeRows,15:N0} row versions of {c.LakeKeys:N0} keys in {c.LakeFiles:N0} files");
        Say($"equal       {c.Equal,15:N0}");
        Say($"on the way  {c.OnTheWay,15:N0}   changed since the last poll, and not due in the lake yet");
        Say($"missing     {c.Missing,15:N0}   captured, and not in the lake");
        Say($"stale       {c.Stale,15:N0}   the lake's newest version is not the table's");
        var cause = c.Extra > 0 ? ": deleted there (deletes are not captured), or the lake is another table's" : "";
        Say($"extra       {c.Extra,15:N0}   in the lake and not in the table{cause}");
        Say($"stored twice{c.StoredTwice,15:N0}   topic offsets that are in the lake more than once");
        var leftOut = string.Join(", ", c.ColumnsLeftOut);
        if (leftOut != "") Say($"not compared, where an older schema has them not or as another type: {leftOut}");
        foreach (var row in c.Examples.Where(r => showKeys || r.Partition is not null)) Say($"  {Describe(row, showKeys)}");
        if (!c.Examples.IsEmpty && !showKeys) Say($"--show-keys names rows by their keys");
        Say($"{(c.IsEqual ? "lake and table agree" : "LAKE AND TABLE DIFFER")}");
    }

    private static string Describe(DifferingRow row, bool showKeys) =>
        row.Difference.ToString().ToLowerInvariant()
        + (showKeys && row.Key is { } key ? $" key {key}" : "")
        + (row.Partition is { } partition ? $" partition {partition} offset {row.Offset}" : "");

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture).TrimEnd());
}
