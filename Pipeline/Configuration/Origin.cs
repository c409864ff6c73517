using YamlDotNet.Core;

namespace OrdersStream.Configuration;

/// <summary>Where values come from; the later wins.</summary>
internal enum Layer
{
    File,
    Environment,
    CommandLine,
}

/// <summary>Where one value or key was given, and how to name that place in a message.</summary>
internal sealed class Origin : IComparable<Origin>
{
    private readonly SourceText? source;
    private readonly int start;
    private readonly int end;
    private readonly long line;
    private readonly long column;
    private readonly string text;

    private Origin(Layer layer, string text, long line, long column, SourceText? source, int start, int end)
    {
        Layer = layer;
        this.text = text;
        this.line = line;
        this.column = column;
        this.source = source;
        this.start = start;
        this.end = end;
    }

    public Layer Layer { get; }

    public static Origin InFile(SourceText source, Mark start, Mark end)
    {
        var from = (int)Math.Clamp(start.Index, 0, source.Text.Length);
        var to = (int)Math.Clamp(end.Index, from, source.Text.Length);
        return new Origin(Layer.File, $"{source.Path}:{start.Line}:{start.Column}", start.Line, start.Column, source, from, to);
    }

    /// <summary>The file as a whole.</summary>
    public static Origin File(string path) => new(Layer.File, path, 0, 0, null, 0, 0);

    public static Origin Variable(string name) => new(Layer.Environment, name, 0, 0, null, 0, 0);

    /// <param name="option">As the user wrote it, without the value.</param>
    /// <param name="order">Which of the options it was.</param>
    public static Origin Option(string option, int order) => new(Layer.CommandLine, option, order, 0, null, 0, 0);

    /// <summary>Nothing but blanks stands before it on its line.</summary>
    public bool BeginsItsLine
    {
        get
        {
            if (source is null) return false;
            var before = source.Text.AsSpan(0, start);
            return before[(before.LastIndexOf('\n') + 1)..].Trim(' ').IsEmpty;
        }
    }

    /// <summary>The place of a part of the value, where it can be found in the file as it stands; else the value's.</summary>
    public Origin At(string fragment)
    {
        if (source is null || fragment.Length == 0) return this;
        var found = source.Text.IndexOf(fragment, start, end - start, StringComparison.Ordinal);
        if (found < 0) return this;
        var before = source!.Text.AsSpan(start, found - start);
        var breaks = before.Count('\n');
        var foundLine = line + breaks;
        var foundColumn = breaks == 0 ? column + before.Length : before.Length - before.LastIndexOf('\n');
        return new Origin(Layer, $"{source.Path}:{foundLine}:{foundColumn}", foundLine, foundColumn, source, found, end);
    }

    public int CompareTo(Origin? other)
    {
        if (other is null) return 1;
        var order = Layer.CompareTo(other.Layer);
        if (order == 0) order = line.CompareTo(other.line);
        if (order == 0) order = column.CompareTo(other.column);
        return order != 0 ? order : string.CompareOrdinal(text, other.text);
    }

    public override string ToString() => text;
}

/// <summary>Collects faults, so that the user sees all of them at once and in the order of the places.</summary>
internal sealed class FaultList
{
    private readonly List<(Origin Origin, string Message)> faults = [];

    public int Count => faults.Count;

    public void Add(Origin origin, string message) => faults.Add((origin, message));

    public IReadOnlyList<ConfigurationFault> Sorted() =>
        [.. faults.OrderBy(f => f.Origin).Select(f => new ConfigurationFault(f.Origin.ToString(), f.Message)).Distinct()];
}
