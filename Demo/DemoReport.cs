using System.Globalization;
using OrdersStream.Audit;
using OrdersStream.Demo.Servers;
using OrdersStream.Demo.Traffic;

namespace OrdersStream.Demo;

/// <summary>What the demonstration prints before and after its show.</summary>
/// <param name="takesColours">Whether standard output is a terminal that may be given colours.</param>
internal sealed class DemoReport(bool takesColours)
{
    public static void Starting() => Say("Starting a private Postgres and an in-process Kafka ...");

    public static void Started(LocalPostgres postgres, EmbeddedBroker broker, DemoFolder folder, Uri? statusPage)
    {
        var lake = DemoFolder.Shown(folder.Lake);
        Say($"Postgres {postgres.MajorVersion} (thrown away at the end)  ->  Kafka at {broker.BootstrapServers}  ->  Parquet in {lake}");
        if (statusPage is not null) Say($"Watch it at {statusPage}");
        Say("Clients place orders and change their status, while hard transactions stay open. Ctrl+C ends it.");
        Say();
    }

    public static void Stays(Uri statusPage)
    {
        Say();
        Say($"The page stays at {statusPage}, and both halves run, until you press a key.");
    }

    public static void Drained(DemoFigures f, TimeSpan played, TimeSpan drained)
    {
        Say();
        Say(string.Create(CultureInfo.InvariantCulture,
            $"Traffic ended after {played.TotalSeconds:0.0} s: {f.Orders:N0} orders, {f.Changes:N0} status changes. "
            + $"Both halves drained in {drained.TotalSeconds:0.0} s."));
    }

    /// <returns>Whether all is as promised.</returns>
    public bool Print(ComparisonResult c, IReadOnlyList<HardTransaction> hard, DemoLake lake, DemoFolder folder)
    {
        Say();
        var verdict = Verdict(IsEqual(c));
        Say($"Lake against table: {c.TableRows:N0} rows in the table, {c.LakeKeys:N0} keys ({c.LakeRows:N0} versions) in the lake;");
        Say($"  missing {c.Missing + c.OnTheWay}, different {c.Stale}, too many {c.Extra}, stored twice {c.StoredTwice}   {verdict}");
        foreach (var transaction in hard) Say($"  {transaction.Name,-18}{Outcome(transaction, lake)}   {transaction.Remark}");
        Say();
        var example = DemoFolder.Shown(lake.Files.LastOrDefault() ?? folder.Lake);
        Say($"{lake.Files.Count} Parquet files, {lake.Bytes / 1024.0:N0} KiB, for example {example}");
        Say("The newest rows, read back from them:");
        Table([DemoLake.Columns, .. lake.Newest]);
        Say();
        Say("Look yourself:");
        Say(Query(DemoFolder.Shown(folder.Lake)));
        return IsEqual(c) && hard.All(t => CameOut(t, lake));
    }

    /// <summary>A command that counts each order once: the lake has each of its versions.</summary>
    internal static string Query(string lake) =>
        $"""
        duckdb -c "WITH orders AS (FROM read_parquet('{lake}/**/*.parquet', union_by_name = true)
            QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY _version DESC, _offset DESC) = 1 AND _op <> 'delete')
            SELECT order_status, count(*), sum(amount) FROM orders GROUP BY ALL"
        """;

    private static bool IsEqual(ComparisonResult c) => c is { Verdict: ComparisonVerdict.Equal, OnTheWay: 0 };

    private static bool CameOut(HardTransaction transaction, DemoLake lake) =>
        transaction.Arrive.All(lake.Orders.Contains) && !transaction.StayAway.Any(lake.Orders.Contains);

    private string Outcome(HardTransaction transaction, DemoLake lake)
    {
        var promise = transaction.Arrive.Count > 0 ? "arrived:" : "stayed away:";
        var kept = CameOut(transaction, lake) ? Colour("yes", 32) : Colour("NO", 31);
        return $"{promise} {kept}".PadRight(takesColours ? 25 : 16);
    }

    private string Verdict(bool equal) => equal ? Colour("equal", 32) : Colour("DIFFERENT", 31);

    private string Colour(string text, int code) => takesColours ? $"\e[{code}m{text}\e[0m" : text;

    private static void Table(IReadOnlyList<IReadOnlyList<string>> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Count).Select(c => rows.Max(r => Width(r[c]))).ToArray();
        foreach (var row in rows) Say("  " + string.Join("  ", row.Select((cell, c) => Pad(cell, widths[c], IsNumber(rows, c)))).TrimEnd());
    }

    private static string Pad(string cell, int width, bool left)
    {
        var blanks = new string(' ', width - Width(cell));
        return left ? blanks + cell : cell + blanks;
    }

    /// <summary>Columns of a terminal: characters of East Asia take two.</summary>
    private static int Width(string text) => text.Sum(c => IsWide(c) ? 2 : 1);

    private static bool IsWide(char c) =>
        c is >= '\u1100' and <= '\u115f' or >= '\u2e80' and <= '\ua4cf' or >= '\uac00' and <= '\ud7a3' or >= '\uff00' and <= '\uff60';

    private static bool IsNumber(IReadOnlyList<IReadOnlyList<string>> rows, int column) =>
        rows.Skip(1).All(r => decimal.TryParse(r[column], NumberStyles.Number, CultureInfo.InvariantCulture, out _));

    private static void Say(string line = "") => Console.WriteLine(line);

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
