using System.Globalization;
using OrdersStream.Demo.Traffic;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace OrdersStream.Demo;

/// <summary>Shows the progress until it is told to stop: a table that moves on a terminal, a line a second in a file.</summary>
internal sealed class ProgressView(DemoProgress progress, TimeProvider time)
{
    private static readonly TimeSpan LinePeriod = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FramePeriod = TimeSpan.FromMilliseconds(200);
    private const int NotesShown = 3;
    private const int BarWidth = 30;

    private readonly RateWindow rates = new();
    private readonly Queue<string> notes = [];

    public static bool IsTerminal => !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi;

    public Task ShowUntilAsync(CancellationToken stopped) => IsTerminal ? AnimateAsync(stopped) : PrintLinesAsync(stopped);

    private async Task PrintLinesAsync(CancellationToken stopped)
    {
        await EachAsync(LinePeriod, stopped, () =>
        {
            while (progress.TryTakeNote(out var note)) Console.WriteLine(note);
            var f = rates.Add(progress.Figures);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{(int)f.Elapsed.TotalSeconds,3} s  "
                + $"orders {f.Orders,5:N0} ({rates.Of(x => x.Orders):N0}/s), changes {f.Changes,5:N0} ({rates.Of(x => x.Changes):N0}/s)"
                + $"  ->  Kafka {f.Published,5:N0}  ->  lake {f.Stored,5:N0} in {f.Files:N0} files, lag {Lag(f):N0}"));
        });
    }

    private async Task AnimateAsync(CancellationToken stopped) =>
        await AnsiConsole.Live(Frame()).AutoClear(false).StartAsync(async live =>
        {
            await EachAsync(FramePeriod, stopped, () => live.UpdateTarget(Frame()));
            live.UpdateTarget(Frame());
        });

    private async Task EachAsync(TimeSpan period, CancellationToken stopped, Action show)
    {
        using var timer = new PeriodicTimer(period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stopped)) show();
        }
        catch (OperationCanceledException) when (stopped.IsCancellationRequested)
        {
            // The regular end.
        }
    }

    private Spectre.Console.Rows Frame()
    {
        while (progress.TryTakeNote(out var note))
        {
            notes.Enqueue(note);
            if (notes.Count > NotesShown) notes.Dequeue();
        }
        var f = rates.Add(progress.Figures);
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey)
            .AddColumn(new TableColumn(Bar(f.Elapsed)).Width(BarWidth + 14))
            .AddColumn(new TableColumn("total").RightAligned().Width(10)).AddColumn(new TableColumn("per second").RightAligned().Width(10));
        Row(table, "orders placed in Postgres", f.Orders, x => x.Orders);
        Row(table, "status changes in Postgres", f.Changes, x => x.Changes);
        Row(table, "row versions published to Kafka", f.Published, x => x.Published);
        Row(table, "rows stored in the lake", f.Stored, x => x.Stored);
        Row(table, "Parquet files", f.Files, x => x.Files);
        table.AddRow(new Text("lag: published, not yet stored"), new Text(Number(Lag(f))), new Text(""));
        return new Spectre.Console.Rows(notes.Select(n => new Text(n, new Style(Color.Yellow))).Prepend<IRenderable>(table));
    }

    private void Row(Table table, string name, long total, Func<DemoFigures, long> figure) =>
        table.AddRow(new Text(name), new Text(Number(total), new Style(Color.Green)), new Text(Number(rates.Of(figure))));

    private static string Number(double number) => number.ToString("N0", CultureInfo.InvariantCulture);

    private string Bar(TimeSpan elapsed)
    {
        var share = Math.Clamp(elapsed / progress.Planned, 0, 1);
        var full = (int)(share * BarWidth);
        var (played, planned) = (Math.Min(elapsed.TotalSeconds, progress.Planned.TotalSeconds), progress.Planned.TotalSeconds);
        return $"[green]{new string('━', full)}[/][grey]{new string('━', BarWidth - full)}[/] " +
            string.Create(CultureInfo.InvariantCulture, $"{played:0} of {planned:0} s");
    }

    private static long Lag(DemoFigures f) => Math.Max(0, f.Published - f.Stored);

    /// <summary>Rates over the last few seconds.</summary>
    private sealed class RateWindow
    {
        private static readonly TimeSpan Span = TimeSpan.FromSeconds(3);
        private readonly Queue<DemoFigures> recent = [];
        private DemoFigures last;

        public DemoFigures Add(DemoFigures figures)
        {
            recent.Enqueue(figures);
            while (figures.Elapsed - recent.Peek().Elapsed > Span) recent.Dequeue();
            return last = figures;
        }

        public double Of(Func<DemoFigures, long> figure)
        {
            var first = recent.Peek();
            var seconds = (last.Elapsed - first.Elapsed).TotalSeconds;
            return seconds > 0 ? (figure(last) - figure(first)) / seconds : 0;
        }
    }
}
