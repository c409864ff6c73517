using System.Collections.Immutable;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>The source table as the catalogue shows it now.</summary>
/// <param name="Schema">Its columns, key and ordering column.</param>
/// <param name="Oid">The table's oid.</param>
/// <param name="QualifiedName">Quoted, for statements.</param>
/// <param name="TimestampHasZone">False for a timestamp without time zone, which is taken as UTC.</param>
/// <param name="HasTimestampTrigger">A trigger sets the ordering column from the clock on every insert and update.</param>
/// <param name="HasTimestampIndex">An index begins with the ordering column.</param>
/// <param name="CapturesUpdates">False where only created_at could be found.</param>
public sealed record SourceTable(
    TableSchema Schema, uint Oid, string QualifiedName, bool TimestampHasZone, bool HasTimestampTrigger, bool HasTimestampIndex,
    bool CapturesUpdates)
{
    /// <summary>
    /// The slack where none is configured: 10 s where the clock sets the column, 60 s where clients do; a column without
    /// a zone may in truth hold any zone's time, the earliest of which lies 12 h behind UTC.
    /// </summary>
    public TimeSpan DefaultSlack =>
        !TimestampHasZone ? TimeSpan.FromHours(12) + TimeSpan.FromSeconds(60)
        : HasTimestampTrigger ? TimeSpan.FromSeconds(10)
        : TimeSpan.FromSeconds(60);

    /// <summary>All columns of the rows, in the schema's order; a condition can follow.</summary>
    public string SelectRows => $"SELECT {string.Join(", ", Schema.Columns.Select(c => Sql.Identifier(c.Name)))} FROM {QualifiedName}";

    /// <summary>The condition that a row's ordering column is not below a bound. A row without a timestamp is never below.</summary>
    public string NotBelow(DateTime bound)
    {
        var column = Schema.Columns[Schema.TimestampColumn];
        var (name, least) = (Sql.Identifier(column.Name), Sql.Timestamp(bound) + (TimestampHasZone ? "" : " AT TIME ZONE 'UTC'"));
        return column.Nullable ? $"({name} >= {least} OR {name} IS NULL)" : $"{name} >= {least}";
    }

    /// <summary>What an operator should know of this table, one sentence each; no row's value in it.</summary>
    public ImmutableArray<string> Warnings()
    {
        var ts = Schema.Columns[Schema.TimestampColumn];
        var warnings = ImmutableArray.CreateBuilder<string>();
        if (!CapturesUpdates)
            warnings.Add(
                $"there is no column updated_at, so {ts.Name} orders the rows: inserts are captured, updates are not; "
                + "name a column that updates set as postgres.timestamp_column");
        else if (!HasTimestampTrigger)
            warnings.Add(
                $"no trigger sets {ts.Name} from the clock: a row that a client dates back by more than the slack is missed "
                + "(verify finds it); db/orders.sql shows such a trigger");
        if (!HasTimestampIndex)
        {
            var columns = Schema.KeyColumns.Prepend(Schema.TimestampColumn).Distinct().Select(c => Sql.Identifier(Schema.Columns[c].Name));
            warnings.Add(
                $"no index begins with {ts.Name}, so every poll reads the whole table: "
                + $"CREATE INDEX ON {QualifiedName} ({string.Join(", ", columns)})");
        }
        if (!TimestampHasZone)
            warnings.Add(
                $"{ts.Name} has no time zone and is taken as UTC with a slack of {DefaultSlack.TotalHours:0} h; "
                + "postgres.slack_seconds can be less where the column holds UTC");
        if (ts.Nullable)
            warnings.Add(
                $"{ts.Name} may be NULL: such rows are looked for in every window, at a cost that grows with their number; "
                + "make the column NOT NULL");
        return warnings.ToImmutable();
    }
}
