using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Benchmarks.Measuring;

/// <summary>What a figure, or its share of a limit where it has one, is to reach.</summary>
internal sealed record Target(double Bound, bool IsLeast)
{
    public static Target AtLeast(double bound) => new(bound, true);
    public static Target AtMost(double bound) => new(bound, false);
}

/// <summary>A limit, and which part of it was reached.</summary>
internal sealed record Share(string Of, Figure Value);

/// <summary>One figure of a report.</summary>
/// <param name="Group">What was measured.</param>
/// <param name="Name">The quantity with its unit.</param>
/// <param name="Format">How its numbers are written.</param>
/// <param name="Value">The figure.</param>
internal sealed record ReportLine(string Group, string Name, string Format, Figure Value, Share? Share = null, Target? Target = null)
{
    public bool? IsMet => Target is null ? null : Target.IsLeast ? Measured >= Target.Bound : Measured <= Target.Bound;

    private double Measured => Share?.Value.Median ?? Value.Median;

    public string[] Cells() =>
    [
        "  " + Name, Text(Value.Median, Format), Text(Value.Lowest, Format), Text(Value.Highest, Format),
        Share is { } s ? $"{Percent(s.Value.Median)} [{Percent(s.Value.Lowest)} .. {Percent(s.Value.Highest)}] of {s.Of}" : "",
        Target is { } t ? $"{(t.IsLeast ? ">=" : "<=")} {(Share is null ? Text(t.Bound, Format) : Percent(t.Bound))}" : "",
        IsMet switch { null => "", true => "met", false => "NOT MET" },
    ];

    private static string Text(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Percent(double share) => Text(share * 100, "0") + "%";
}

/// <summary>The figures of one command, as a table and as a document.</summary>
internal sealed class Report(string command, DateTimeOffset takenAt)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly List<ReportLine> lines = [];

    /// <summary>What a reader must know beside the figures.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>The single measurements, for the document.</summary>
    public List<object> Measurements { get; } = [];

    /// <summary>Leaves out what was not measured.</summary>
    public void Add(string group, string name, string format, Figure? value, Share? share = null, Target? target = null)
    {
        if (value is not null) lines.Add(new(group, name, format, value, share, target));
    }

    /// <summary>The table on standard output; with <c>-</c> the document goes there and the table to standard error.</summary>
    public async Task WriteAsync(string? jsonFile, CancellationToken cancellationToken)
    {
        await (jsonFile == "-" ? Console.Error : Console.Out).WriteAsync(Table());
        if (jsonFile == "-") Console.Out.WriteLine(Document());
        else if (jsonFile is not null) await File.WriteAllTextAsync(jsonFile, Document() + "\n", cancellationToken);
    }

    private string Table()
    {
        string[] header = ["", "median", "lowest", "highest", "share", "target", ""];
        var rows = lines.Select(l => l.Cells()).Prepend(header).ToList();
        var widths = Enumerable.Range(0, header.Length).Select(i => rows.Max(r => r[i].Length)).ToArray();
        var text = new StringBuilder().AppendLine(command)
            .AppendLine(takenAt.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture)).AppendLine(Machine.Describe());
        foreach (var note in Notes) text.AppendLine(note);
        text.AppendLine().AppendLine(Row(header));
        for (var i = 0; i < lines.Count; i++)
        {
            if (i == 0 || lines[i].Group != lines[i - 1].Group) text.AppendLine(lines[i].Group);
            text.AppendLine(Row(rows[i + 1]));
        }
        return text.ToString();

        string Row(string[] cells) =>
            string.Join("  ", cells.Select((c, i) => i is >= 1 and <= 3 ? c.PadLeft(widths[i]) : c.PadRight(widths[i]))).TrimEnd();
    }

    private string Document() =>
        JsonSerializer.Serialize(
            new { command, takenAt, machine = Machine.Describe(), notes = Notes, figures = lines, measurements = Measurements }, Json);
}
