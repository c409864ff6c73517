using System.Globalization;
using OrdersStream.Audit;
using OrdersStream.Demo.Servers;
using OrdersStream.Demo.Traffic;

namespace OrdersStream.Demo;

/// <summary>What the demonstration tells before and after its show.</summary>
/// <param name="takesColours">Whether standard output is a terminal that may be given colours.</param>
internal sealed class DemoReport(bool takesColours)
{
    public static void Starting() => Say("Starting a private Postgres and an in-process Kafka ...");

    public static void Started(LocalPostgres postgres, EmbeddedBroker broker, DemoFolder folder, Uri? page)
    {
        Say($"Postgres {postgres.MajorVersion} (thrown away at the end)  ->  Kafka at {broker.BootstrapServers}  ->  Parquet in {DemoFolder.Shown(folder.Lake)}");
        if (page is not null) Say($"Watch it at {page}");
        Say("Clients place orders and change their status, while hard transactions stay open. Ctrl+C ends it.");
        Say();
    }

    public static void Drained(DemoFigures f, TimeSpan played, TimeSpan drained)
    {
        Say();
        Say($"Traffic ended after {played.TotalSeconds:0.0} s: {f.Orders:N0} orders, {f.Changes:N0} status changes. Both halves drained in {drained.TotalSeconds:0.0} s.");
    }

    /// <returns>Whether all is as promised.</returns>
    public bool Print(ComparisonResult compared, IReadOnlyList<HardTransaction> hard, DemoLake lake, DemoFolder folder)
    {
        Say();
        Say($"Lake against table: {compared.TableRows:N0} rows in the table, {compared.LakeKeys:N0} keys ({compared.LakeRows:N0} versions) in the lake;");
        Say($"  missing {compared.Missing + compared.OnTheWay}, different {compared.Stale}, too many {compared.Extra}, stored twice {compared.StoredTwice}   {Verdict(IsEqual(compared))}");
        foreach (var transaction in hard) Say($"  {transaction.Name,-18}{Outcome(transaction, lake)}   {transaction.Remark}");
        Say();
        Say($"{lake.Files.Count} Parquet files, {lake.Bytes / 1024.0:N0} KiB, for example {DemoFolder.Shown(lake.Files.LastOrDefault() ?? folder.Lake)}");
        Say("The newest rows, read back from them:");
        Table([DemoLake.Columns, .. lake.Newest]);
        Say();
        Say($"Look yourself:  duckdb -c \"SELECT order_status, count(*) FROM '{DemoFolder.Shown(folder.Lake)}/**/*.parquet' GROUP BY ALL\"");
        return IsEqual(compared) && hard.All(t => CameOut(t, lake));
    }

    private static bool IsEqual(ComparisonResult compared) => compared is { IsEqual: true, OnTheWay: 0 };

    private static bool CameOut(HardTransaction transaction, DemoLake lake) =>
        transaction.Arrive.All(lake.Orders.Contains) && !transaction.StayAway.Any(lake.Orders.Contains);

    private string Outcome(HardTransaction transaction, DemoLake lake) =>
        $"{(transaction.Arrive.Count > 0 ? "arrived:" : "stayed away:")} {(CameOut(transaction, lake) ? Colour("yes", 32) : Colour("NO", 31))}".PadRight(takesColours ? 25 : 16);

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
    private static int Width(string text) => text.Sum(c => c is >= '\u1100' and <= '\u115f' or >= '\u2e80' and <= '\ua4cf' or >= '\uac00' and <= '\ud7a3' or >= '\uff00' and <= '\uff60' ? 2 : 1);

    private static bool IsNumber(IReadOnlyList<IReadOnlyList<string>> rows, int column) =>
        rows.Skip(1).All(r => decimal.TryParse(r[column], NumberStyles.Number, CultureInfo.InvariantCulture, out _));

    private static void Say(string line = "") => Console.WriteLine(line);

    private static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
