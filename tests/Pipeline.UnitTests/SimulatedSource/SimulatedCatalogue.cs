using System.Collections.Immutable;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>A table of the tree.</summary>
/// <param name="Oid">Its oid.</param>
/// <param name="File">Its file node.</param>
/// <param name="WrittenBy">Who wrote its row of pg_class.</param>
/// <param name="InheritsBy">Who wrote its row of pg_inherits; null: it is the root.</param>
internal sealed record TablePart(uint Oid, uint File, ulong WrittenBy, ulong? InheritsBy);

/// <summary>A column as far as it decides how stored rows read.</summary>
/// <param name="Name">In the facts.</param>
/// <param name="Digest">Of its name and type.</param>
/// <param name="IsFilled">Rows have a value of it that they were not written with.</param>
/// <param name="HasDefault">It has a default.</param>
internal sealed record SimulatedColumn(string Name, string Digest, bool IsFilled = false, bool HasDefault = false);

/// <summary>A label of an enum.</summary>
/// <param name="Name">In the facts.</param>
/// <param name="Text">It.</param>
/// <param name="WrittenBy">Who wrote its row of pg_enum.</param>
internal sealed record SimulatedLabel(string Name, string Text, ulong WrittenBy);

/// <summary>What the catalogue says of the table, and who wrote it. It never changes: a transaction makes another.</summary>
/// <param name="Parts">The tables of the tree.</param>
/// <param name="Columns">Its columns.</param>
/// <param name="Labels">Of its enum: all rows have the first.</param>
/// <param name="IsGuarded">A trigger sets the ordering column.</param>
/// <param name="GuardBy">Who wrote the trigger, or its function; null: there is none.</param>
internal sealed record SimulatedCatalogue(
    ImmutableArray<TablePart> Parts, ImmutableArray<SimulatedColumn> Columns, ImmutableArray<SimulatedLabel> Labels, bool IsGuarded,
    ulong? GuardBy)
{
    public const uint Root = 4711;
    public const string FirstLabel = "l1";

    private string? reading;

    public static SimulatedCatalogue Start(bool isGuarded, ulong by) => new(
        [new TablePart(Root, 1, by, null)], [new("a1", "order_id"), new("a2", "odd"), new("a3", "updated_at")],
        [new(FirstLabel, "placed", by)], isGuarded, by);

    /// <summary>How values read: the same row version may be another value later.</summary>
    public string Reading => reading ??= $"{string.Join(' ', Columns.Select(c => c.Digest))} {Labels[0].Text}";

    public SimulatedCatalogue WithNewFiles(ulong by) => With(c => c with
    {
        Parts = [.. c.Parts.Select(p => p with { File = p.File + 1000, WrittenBy = by })],
        // A rewritten row is written with all of its values.
        Columns = [.. c.Columns.Select(n => n with { IsFilled = false })],
    });

    public SimulatedCatalogue Joined(uint oid, uint file, ulong by) => With(c => c with
    {
        // The first child marks its parent as one that has children.
        Parts = [.. c.Parts.Length > 1 ? c.Parts : [c.Parts[0] with { WrittenBy = by }], new TablePart(oid, file, by, by)],
    });

    public SimulatedCatalogue Left(uint oid) => With(c => c with { Parts = c.Parts.RemoveAll(p => p.Oid == oid) });

    public SimulatedCatalogue GuardWritten(ulong by, bool isOn) => With(c => c with { IsGuarded = isOn, GuardBy = by });

    public SimulatedCatalogue GuardDropped() => With(c => c with { IsGuarded = false, GuardBy = null });

    public SimulatedCatalogue LabelRenamed(string text, ulong by) =>
        With(c => c with { Labels = c.Labels.SetItem(0, c.Labels[0] with { Text = text, WrittenBy = by }) });

    public SimulatedCatalogue LabelAdded(string text, ulong by) =>
        With(c => c with { Labels = c.Labels.Add(new($"l{c.Labels.Length + 1}", text, by)) });

    public SimulatedCatalogue ColumnAdded(string value, bool isFilled, ulong by) => With(c => c with
    {
        Columns = c.Columns.Add(new($"a{c.Columns.Length + 1}", value, isFilled, HasDefault: true)),
        Parts = c.Parts.SetItem(0, c.Parts[0] with { WrittenBy = by }),
    });

    public SimulatedCatalogue ColumnRenamed(string name) =>
        With(c => c with { Columns = c.Columns.SetItem(1, c.Columns[1] with { Digest = name }) });

    /// <summary>What a horizon finds of it, by the statements of <see cref="TableFactsReader"/>.</summary>
    /// <param name="since">The horizon before.</param>
    /// <param name="to">The next one.</param>
    /// <param name="hasTrigger">The table has a trigger that guards its time, as it was read before.</param>
    /// <param name="nextXid">What age() counts from.</param>
    public (TableFacts Facts, TableChange Change) Facts(Horizon? since, Horizon to, bool hasTrigger, ulong nextXid)
    {
        var reader = new TableFactsReader(SimulatedServer.Orders(hasTrigger, false), since, to);
        var (isNew, isUnguarded) = (reader.IsNew("xmin"), reader.IsUnguarded("xmin"));
        bool New(ulong xid) => since is not null && SelectStatement.Holds(isNew, xid, nextXid);
        var joined = Parts.Where(p => p.InheritsBy is { } by && New(by)).ToList();
        var files = Parts.Except(joined).Any(p => New(p.WrittenBy));
        IEnumerable<ulong> guards = GuardBy is { } guardBy ? [guardBy] : [];
        var seen = Parts.SelectMany(p => new[] { p.WrittenBy, p.InheritsBy ?? p.WrittenBy }).Concat(guards)
            .Concat(Labels.Select(l => l.WrittenBy))
            .Where(x => SelectStatement.Holds($"age(xmin) BETWEEN 0 AND age('{(uint)to.Xmin}'::xid)", x, nextXid))
            .Select(x => (uint)x).Where(x => !to.IsOpen(x)).Distinct().Order();
        var values = Columns.ToImmutableSortedDictionary(c => c.Name, c => c.Digest, StringComparer.Ordinal)
            .AddRange(Labels.Select(l => KeyValuePair.Create(l.Name, l.Text)));
        static string Files(IEnumerable<TablePart> parts) =>
            string.Join(',', parts.OrderBy(p => p.Oid).Select(p => $"{p.Oid}:{p.File}"));
        var facts = new TableFacts(Files(Parts), hasTrigger, values, [.. seen], string.Concat(guards.Select(x => (uint)x)));
        return (facts, TableChange.Of(since, facts, new(
            [.. joined.Select(p => p.Oid).Order()], files, Files(Parts.Except(joined)),
            guards.Any(x => SelectStatement.Holds(isUnguarded, x, nextXid)),
            [.. Columns.Where(c => c.IsFilled).Select(c => c.Name)],
            [.. Columns.Where(c => c is { IsFilled: false, HasDefault: true }).Select(c => c.Name)],
            [.. Labels.Where(l => New(l.WrittenBy)).Select(l => l.Name)])));
    }

    private SimulatedCatalogue With(Func<SimulatedCatalogue, SimulatedCatalogue> change) => change(this) with { reading = null };
}
