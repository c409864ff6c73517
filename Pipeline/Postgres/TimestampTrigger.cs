using System.Collections.Immutable;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// How far a trigger answers for the ordering column. It counts only where it sets the column from the clock with every row of every
/// writer: then no row is older than its transaction. What is not seen to be so does not count (invariant 10).
/// </summary>
/// <param name="Name">The one that counts, or that comes nearest; null: none has to do with the column.</param>
/// <param name="WhyNot">Why it does not count; null: it does, or there is none.</param>
/// <param name="Subscriptions">Those that write into the table.</param>
public sealed record TimestampTrigger(string? Name, string? WhyNot, ImmutableArray<string> Subscriptions)
{
    public bool Counts => Name is not null && WhyNot is null;

    /// <summary>What an operator should know.</summary>
    /// <param name="column">The ordering column.</param>
    public IEnumerable<Advice> Warnings(string column)
    {
        if (Counts) yield break;
        const string missed = "a row that a client dates back by more than the slack is missed (verify finds it)";
        yield return new("trigger",
            Name is null
                ? $"no trigger sets {column} from the clock: {missed}"
                : $"trigger {Name} does not count as one that sets {column} from the clock, since {WhyNot}: {missed}",
            "db/orders.sql shows such a trigger");
        if (!Subscriptions.IsEmpty)
            yield return new("trigger",
                $"subscription {string.Join(", ", Subscriptions)} writes into the table past its triggers, "
                + $"but for those with ENABLE ALWAYS: rows come with the publisher's {column}, as late as replication is, "
                + "and those older than the slack are missed (verify finds them)",
                "give the table a trigger that sets it, with ENABLE ALWAYS");
    }

    /// <summary>Judges all tables that hold rows of the source: the table itself, its partitions, its children.</summary>
    /// <param name="tables">One of each kind, by their triggers.</param>
    /// <param name="column">The ordering column.</param>
    /// <param name="writers">Who may write past a trigger.</param>
    internal static TimestampTrigger Of(IReadOnlyCollection<TriggeredTable> tables, string column, OtherWriters writers)
    {
        var verdicts = tables.Select(t => (t.Table, Verdict: t.Judge(column, writers))).ToList();
        var named = verdicts.Where(v => v.Verdict.Name is not null).ToList();
        if (named.Count == 0) return new(null, null, writers.Subscriptions);
        var doubtful = named.FindIndex(v => v.Verdict.WhyNot is not null);
        var (table, (name, whyNot)) = named[Math.Max(doubtful, 0)];
        if (whyNot is not null && tables.Count > 1) whyNot += $" (on {table})";
        if (named.Count < verdicts.Count) whyNot ??= $"it is missing on {verdicts.Find(v => v.Verdict.Name is null).Table}";
        return new(name, whyNot, writers.Subscriptions);
    }
}

/// <summary>Who writes without firing what is not ENABLE ALWAYS.</summary>
/// <param name="Subscriptions">What they bring is applied so.</param>
/// <param name="Replica">What session_replication_role is set to replica for; null: nothing.</param>
internal sealed record OtherWriters(ImmutableArray<string> Subscriptions, string? Replica);

/// <summary>A table that holds rows, and the triggers that may change one before it is written, as they fire one after the other.</summary>
internal sealed record TriggeredTable(string Table, ImmutableArray<RowTrigger> Triggers)
{
    /// <summary>The trigger that counts or comes nearest, and why it does not count.</summary>
    public (string? Name, string? WhyNot) Judge(string column, OtherWriters writers)
    {
        string? counts = null;
        foreach (var row in new[] { RowTrigger.OnInsert, RowTrigger.OnUpdate })
        {
            var firing = Triggers.Where(t => t.IsOn(row)).ToList();
            var last = firing.FindLastIndex(t => t.Function.SetsColumn && t.WhyNotAlways(Table, writers) is null);
            if (last < 0) return Nearest(row, column, writers);
            if (firing.Skip(last + 1).FirstOrDefault(t => t is { Function.SetsColumn: false, Enabled: not 'D' }) is { } later)
                return (firing[last].Name, $"trigger {later.Name} fires after it and may change {column} again");
            counts ??= firing[last].Name;
        }
        return (counts, null);
    }

    private (string?, string?) Nearest(int row, string column, OtherWriters writers)
    {
        if (Triggers.FirstOrDefault(t => t.Function.SetsColumn && t.IsOn(row)) is { } sometimes)
            return (sometimes.Name, sometimes.WhyNotAlways(Table, writers));
        if (Triggers.FirstOrDefault(t => t.Function.SetsColumn) is { } other)
            return (other.Name, $"it does not fire on {(row == RowTrigger.OnInsert ? "INSERT" : "UPDATE")}");
        return Triggers.FirstOrDefault(t => t.Function.MentionsColumn) is { } unknown
            ? (unknown.Name, $"its function is none of those known to set {column} always, and may set it only sometimes")
            : (null, null);
    }
}

/// <summary>A trigger that fires for each row before it is written.</summary>
/// <param name="Name">They fire in its order.</param>
/// <param name="Type">Bits of pg_trigger.tgtype.</param>
/// <param name="Enabled">pg_trigger.tgenabled.</param>
/// <param name="HasCondition">WHEN.</param>
/// <param name="HasColumns">UPDATE OF.</param>
/// <param name="Function">What it calls.</param>
internal sealed record RowTrigger(string Name, int Type, char Enabled, bool HasCondition, bool HasColumns, TriggerFunction Function)
{
    public const int OnInsert = 4, OnUpdate = 16;

    public bool IsOn(int row) => (Type & row) != 0;

    /// <summary>Why some rows are written without it; null: none is.</summary>
    public string? WhyNotAlways(string table, OtherWriters writers) => this switch
    {
        { Enabled: 'D' } => "it is disabled",
        { Enabled: 'R' } => "it is ENABLE REPLICA, and fires for replicated rows only",
        { HasCondition: true } => "it has a condition (WHEN), and fires for some rows only",
        { Function.Shadow: { } shadow } =>
            $"{shadow} stands for its clock where the search_path of who writes says so: qualify the clock by pg_catalog, "
            + "or SET search_path for the function",
        { HasColumns: true } => "it is UPDATE OF columns, and does not fire where others are set",
        { Enabled: 'A' } => null,
        _ when !writers.Subscriptions.IsEmpty =>
            $"subscription {writers.Subscriptions[0]} applies rows past it: {EnableAlways(table)}",
        _ when writers.Replica is { } replica =>
            $"session_replication_role is replica for {replica}, which writes past it: {EnableAlways(table)}",
        _ => null,
    };

    private string EnableAlways(string table) => $"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {Sql.Identifier(Name)}";
}

/// <summary>What is known of a trigger's function.</summary>
/// <param name="SetsColumn">It does nothing but to set the ordering column from the clock.</param>
/// <param name="MentionsColumn">It has to do with the ordering column.</param>
/// <param name="Shadow">A function of another schema that it may call in place of the clock; null: none.</param>
internal sealed record TriggerFunction(bool SetsColumn, bool MentionsColumn, string? Shadow)
{
    public static readonly TriggerFunction Unknown = new(false, false, null);
}
