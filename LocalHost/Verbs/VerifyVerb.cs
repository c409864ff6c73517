using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>verify</c> was asked to compare.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="From">Least value of the ordering column; null: any.</param>
/// <param name="To">The ordering column is below it; null: any.</param>
/// <param name="ShowKeys">Also name differing rows by their keys, which are data.</param>
/// <param name="Json">As one JSON object, for programs.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record VerifyOptions(
    PipelineOptions Pipeline, DateTime? From, DateTime? To, bool ShowKeys, bool Json, LogLevel LogLevel);

/// <summary>Compares the lake with the source table.</summary>
public static class VerifyVerb
{
    /// <returns>The verdict as a number: 0 equal, 1 different, 2 it cannot be told.</returns>
    public static async Task<int> ExecuteAsync(VerifyOptions options, CancellationToken cancellationToken)
    {
        await using var stream = LocalStream.Open(
            options.Pipeline, LineLogger.ToConsole(options.LogLevel, TimeProvider.System), halves: []);
        var compared = await stream.Comparison.CompareAsync(options.From, options.To, new ProgressLines(), cancellationToken);
        if (options.Json) Console.WriteLine(Json(compared, options.ShowKeys));
        else Print(compared, options.ShowKeys);
        return (int)compared.Verdict;
    }

    internal static void Print(ComparisonResult c, bool showKeys)
    {
        Say($"table       {c.TableRows,15:N0} rows");
        Say($"lake        {c.LakeRows,15:N0} row versions of {c.LakeKeys:N0} keys in {c.LakeFiles:N0} files");
        Say($"equal       {c.Equal,15:N0}");
        Say($"on the way  {c.OnTheWay,15:N0}   changed since the last poll, and not due in the lake yet");
        Say($"missing     {c.Missing,15:N0}   captured, and not in the lake");
        Say($"stale       {c.Stale,15:N0}   the lake's newest version is not the table's");
        var cause = c.Extra > 0 ? ": deleted there and not written down, or the lake lost the delete, or it is another table's" : "";
        if (c.IsPart) Say($"extra           not asked   of a part of the table it cannot be told what is in the lake and not in the table");
        else Say($"extra       {c.Extra,15:N0}   in the lake and not in the table{cause}");
        Say($"stored twice{c.StoredTwice,15:N0}   topic offsets that are in the lake more than once");
        if (c.Misplaced > 0) Say($"misplaced   {c.Misplaced,15:N0}   versions in files of a folder that is not their rows' own");
        if (!c.IsPart) Say($"lost        {c.Lost,15:N0}   versions that the commit log has and the lake's files have not: {Gone(c)}");
        var leftOut = string.Join(", ", c.ColumnsLeftOut);
        if (leftOut != "") Say($"not compared, where an older schema has them not or as another type: {leftOut}");
        foreach (var row in c.Examples.Where(r => showKeys || r.Partition is not null)) Say($"  {Describe(row, showKeys)}");
        if (!showKeys && c.Examples.Any(e => e.File is null)) Say($"--show-keys names rows by their keys");
        Say($"{Sentence(c)}");
    }

    private static string Gone(ComparisonResult c) =>
        (c.Lost > 0 ? "files of the lake are gone" : "none")
        + (c.LostAccepted > 0 ? string.Create(CultureInfo.InvariantCulture, $" but {c.LostAccepted:N0} that were accepted as lost") : "");

    private static string Sentence(ComparisonResult c) => c.Verdict switch
    {
        ComparisonVerdict.Different when c.OfPresentRows == ComparisonVerdict.Equal =>
            "FILES OF THE LAKE ARE GONE, with versions of rows that newer ones supersede: put them back from a backup, or accept the loss "
            + "(repair --accept-lost). The newest versions and the table agree",
        ComparisonVerdict.Different when c.OfPresentRows == ComparisonVerdict.Unknown =>
            "FILES OF THE LAKE ARE GONE, and whether the newest versions and the table agree cannot be told: put the files back from a "
            + "backup, see what PostgresToKafka and status say, then compare again",
        ComparisonVerdict.Equal when c.IsPart => "lake and table agree in this part",
        ComparisonVerdict.Equal => "lake and table agree",
        ComparisonVerdict.Different => "LAKE AND TABLE DIFFER",
        _ when c.HasNothing => "NOTHING WAS COMPARED: no row of the table is in this part",
        _ when c.IsOrderInDoubt => "IT CANNOT BE TOLD whether lake and table agree: a collation of the key is of another version than its "
            + "indexes, by which rows are passed over. REINDEX the table as check says, then compare again",
        _ => "IT CANNOT BE TOLD whether lake and table agree: rows wait for capture, which does not get to them, or to judge those from "
            + "behind a transaction that stays open. Run PostgresToKafka, or see what it and status say, then compare again",
    };

    private static string Describe(DifferingRow row, bool showKeys) =>
        Word(row.Difference).Replace('_', ' ')
        + (showKeys && row.Key is { } key ? $" key {key}" : "")
        + (row.Partition is { } partition ? $" partition {partition} offset {row.Offset}" : "")
        + row switch
        {
            { File: null } => "",
            { Difference: RowDifference.Misplaced } => $" in {row.File}: move it into the folder of its rows' own value",
            _ => $" again in {row.File}: move the copy of it away",
        };

    private static string Word(RowDifference difference) =>
        difference == RowDifference.StoredTwice ? "stored_twice" : difference.ToString().ToLowerInvariant();

    private static string Json(ComparisonResult c, bool showKeys)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("verdict", c.Verdict.ToString().ToLowerInvariant());
            json.WriteBoolean("isPart", c.IsPart);
            json.WriteNumber("tableRows", c.TableRows);
            json.WriteNumber("lakeRows", c.LakeRows);
            json.WriteNumber("lakeKeys", c.LakeKeys);
            json.WriteNumber("lakeFiles", c.LakeFiles);
            json.WriteNumber("equal", c.Equal);
            json.WriteNumber("onTheWay", c.OnTheWay);
            json.WriteNumber("missing", c.Missing);
            json.WriteNumber("stale", c.Stale);
            if (c.IsPart) json.WriteNull("extra");
            else json.WriteNumber("extra", c.Extra);
            json.WriteNumber("storedTwice", c.StoredTwice);
            json.WriteNumber("misplaced", c.Misplaced);
            json.WriteNumber("lost", c.Lost);
            json.WriteNumber("lostAccepted", c.LostAccepted);
            json.WriteStartArray("columnsLeftOut");
            foreach (var column in c.ColumnsLeftOut) json.WriteStringValue(column);
            json.WriteEndArray();
            json.WriteStartArray("examples");
            foreach (var row in c.Examples) WriteExample(json, row, showKeys);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private static void WriteExample(Utf8JsonWriter json, DifferingRow row, bool showKeys)
    {
        json.WriteStartObject();
        json.WriteString("difference", Word(row.Difference));
        if (showKeys && row.Key is { } key) json.WriteString("key", key);
        if (row.Partition is { } partition) json.WriteNumber("partition", partition);
        if (row.Offset is { } offset) json.WriteNumber("offset", offset);
        if (row.File is { } file) json.WriteString("file", file);
        json.WriteEndObject();
    }

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture).TrimEnd());

    /// <summary>A line now and then, where the results do not go.</summary>
    internal sealed class ProgressLines : IProgress<ComparisonProgress>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

        private long said = Stopwatch.GetTimestamp();

        public void Report(ComparisonProgress value)
        {
            if (Stopwatch.GetElapsedTime(said) < Interval) return;
            said = Stopwatch.GetTimestamp();
            Console.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{value.Rows:N0} rows of the {(value.IsTable ? "table compared" : "lake read")}"));
        }
    }
}
