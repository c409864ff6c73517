using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>The source table as the catalogue shows it now.</summary>
/// <param name="Schema">Its columns, key and ordering column.</param>
/// <param name="Oid">The table's oid.</param>
/// <param name="QualifiedName">Quoted, for statements.</param>
/// <param name="TimestampHasZone">False for a timestamp without time zone, which is taken as UTC.</param>
/// <param name="Trigger">How far a trigger sets the ordering column from the clock on every insert and update.</param>
/// <param name="HasTimestampIndex">An index begins with the ordering column.</param>
/// <param name="CapturesUpdates">False where only created_at could be found.</param>
public sealed record SourceTable(
    TableSchema Schema, uint Oid, string QualifiedName, bool TimestampHasZone, TimestampTrigger Trigger, bool HasTimestampIndex,
    bool CapturesUpdates)
{
    /// <summary>The table, or a part of it, that a crash of the server empties; null: none.</summary>
    public string? Unlogged { get; init; }

    /// <summary>Rows of which this is true count as deleted; null: none does.</summary>
    public string? DeletedWhen { get; init; }

    /// <summary>The condition that a row counts as one.</summary>
    public string IsLiving => DeletedWhen is null ? "true" : $"({DeletedWhen}) IS NOT TRUE";

    /// <summary>The condition that it counts as deleted.</summary>
    public string IsMarked => DeletedWhen is null ? "false" : $"({DeletedWhen}) IS TRUE";

    /// <summary>A table that inherits from it; null: none.</summary>
    public string? Inherits { get; init; }

    /// <summary>Where its triggers write down the keys of rows that are gone; null: deletes are not captured.</summary>
    public TombstoneTable? Tombstones { get; init; }

    /// <summary>It and its tombstones, quoted: what is locked together.</summary>
    public string QualifiedNames => Tombstones is { } tombstones ? $"{QualifiedName}, {tombstones.QualifiedName}" : QualifiedName;

    /// <summary>What an operator should know of that.</summary>
    public ImmutableArray<Advice> TombstoneWarnings { get; init; } = [];

    /// <summary>Of its key's columns, where they are not their types' own, as <see cref="Order"/> ends.</summary>
    public string KeyCollations { get; init; } = "";

    /// <summary>
    /// Of its key's columns, where they are enums, by what labels: one that was renamed is no value of the key any more, and the server
    /// refuses what has it.
    /// </summary>
    public string KeyLabels { get; init; } = "";

    /// <summary>Its key's types, for literals; a domain's base: it may have a constraint that rows which are there do not meet.</summary>
    public ImmutableArray<string> KeyTypes { get; init; } = [.. Schema.KeyColumns.Select(k => Schema.Columns[k].Type.PostgresName)];

    /// <summary>
    /// A collation of the key is of another version than when its indexes may have been built: who looks a key up, or reads a range, may
    /// pass rows over.
    /// </summary>
    public bool IsOrderInDoubt { get; init; }

    /// <summary>
    /// The slack where none is configured: 10 s where the clock sets the column, 60 s where clients do; a column without
    /// a zone may in truth hold any zone's time, the earliest of which lies 12 h behind UTC.
    /// </summary>
    public TimeSpan DefaultSlack =>
        !TimestampHasZone ? TimeSpan.FromHours(12) + TimeSpan.FromSeconds(60)
        : Trigger.Counts ? TimeSpan.FromSeconds(10)
        : TimeSpan.FromSeconds(60);

    /// <summary>How each column of the schema is selected.</summary>
    public ImmutableArray<string> Expressions { get; init; } = [.. Schema.Columns.Select(c => Sql.Identifier(c.Name))];

    /// <summary>Columns of the table that are not carried.</summary>
    public ImmutableArray<string> Excluded { get; init; } = [];

    /// <summary>What readers of the lake will not expect of its columns.</summary>
    public ImmutableArray<Advice> ColumnWarnings { get; init; } = [];

    /// <summary>All columns of the rows, in the schema's order; a condition can follow.</summary>
    public string SelectRows => $"SELECT {string.Join(", ", Expressions)} FROM {QualifiedName}";

    /// <summary>Of a row only its place in the order: the key's columns, and the ordering column.</summary>
    public TableSchema Places => new(
        [.. PlaceColumns.Select(c => Schema.Columns[c])], [.. Enumerable.Range(0, Schema.KeyColumns.Length)],
        PlaceColumns.IndexOf(Schema.TimestampColumn));

    /// <summary>The same of all rows; a condition can follow.</summary>
    public string SelectPlaces =>
        $"SELECT {string.Join(", ", PlaceColumns.Select(c => Sql.Identifier(Schema.Columns[c].Name)))} FROM {QualifiedName}";

    private ImmutableArray<int> PlaceColumns => [.. Schema.KeyColumns.Append(Schema.TimestampColumn).Distinct()];

    /// <summary>Reads no row as capture reads them, under its lock: the server refuses what the role may not read.</summary>
    /// <exception cref="PostgresException">It does, or somebody has the table locked.</exception>
    internal async Task TryReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var command = new NpgsqlCommand(
            $"SET LOCAL lock_timeout = '2s'; LOCK TABLE {QualifiedName} IN ACCESS SHARE MODE; {SelectRows} "
            + "WHERE xmin IS NOT NULL LIMIT 0", connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
        await RowPredicate.CheckAsync(connection, this, cancellationToken);
    }

    /// <summary>By what rows are read in order: a cursor means nothing under another.</summary>
    public string Order => string.Join(
        ", ", Schema.KeyColumns.Prepend(Schema.TimestampColumn).Select(c => Schema.Columns[c])
            .Select(c => $"{c.Name} {c.Type.PostgresName}")) + KeyCollations + KeyLabels;

    /// <summary>The key's columns, quoted.</summary>
    public IEnumerable<string> KeyColumns => Schema.KeyColumns.Select(k => Sql.Identifier(Schema.Columns[k].Name));

    /// <summary>The same as a list.</summary>
    public string Key => string.Join(", ", KeyColumns);

    /// <summary>What follows each where it is compared: the server compares no domain over an enum, but the enum.</summary>
    public ImmutableArray<string> KeyCasts { get; init; } = [.. Schema.KeyColumns.Select(_ => "")];

    /// <summary>The key's columns as they are compared with literals, as a list.</summary>
    public string ComparedKey => string.Join(", ", KeyColumns.Zip(KeyCasts, (column, cast) => column + cast));

    /// <summary>A key's values as a list of literals.</summary>
    /// <param name="key">As text that Postgres reads back.</param>
    public string KeyLiteral(ImmutableArray<string> key) => string.Join(
        ", ", key.Select((value, i) => $"{Sql.Literal(value)}::{KeyTypes[i]}"));

    /// <summary>Has the server read a key, and nothing else.</summary>
    /// <inheritdoc cref="KeyLiteral"/>
    /// <exception cref="PostgresException">Its values are none of the key's types.</exception>
    public async Task ReadKeyAsync(NpgsqlConnection connection, ImmutableArray<string> key, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT {KeyLiteral(key)}", connection);
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>The ordering column, quoted.</summary>
    public string Timestamp => Sql.Identifier(Schema.Columns[Schema.TimestampColumn].Name);

    /// <summary>Its type, for literals.</summary>
    public string TimestampType => Schema.Columns[Schema.TimestampColumn].Type.PostgresName;

    /// <summary>The condition that a row's ordering column is not below a bound. A row without a timestamp is never below.</summary>
    public string NotBelow(DateTime bound) => Schema.Columns[Schema.TimestampColumn].Nullable
        ? $"({Timestamp} >= {Literal(bound)} OR {Timestamp} IS NULL)"
        : $"{Timestamp} >= {Literal(bound)}";

    /// <summary>The condition that it is below.</summary>
    public string Below(DateTime bound) => $"{Timestamp} < {Literal(bound)}";

    /// <summary>A time as a value of the ordering column.</summary>
    public string Literal(DateTime time) => Sql.Timestamp(time) + (TimestampHasZone ? "" : " AT TIME ZONE 'UTC'");

    /// <summary>What an operator should know of this table.</summary>
    public ImmutableArray<Advice> Warnings()
    {
        var ts = Schema.Columns[Schema.TimestampColumn];
        var warnings = ImmutableArray.CreateBuilder<Advice>();
        if (!CapturesUpdates)
            warnings.Add(new("table",
                $"there is no column updated_at, so {ts.Name} orders the rows: inserts are captured, unless {ts.Name} lies further back "
                + "than the slack; updates are not, unless it does not",
                "name a column that updates set as postgres.timestamp_column"));
        else
            warnings.AddRange(Trigger.Warnings(ts.Name));
        if (!HasTimestampIndex)
        {
            var columns = Schema.KeyColumns.Prepend(Schema.TimestampColumn).Distinct().Select(c => Sql.Identifier(Schema.Columns[c].Name));
            warnings.Add(new("index",
                $"no index begins with {ts.Name}, so every poll reads the whole table",
                $"CREATE INDEX ON {QualifiedName} ({string.Join(", ", columns)})"));
        }
        if (!TimestampHasZone)
            warnings.Add(new("time",
                $"{ts.Name} has no time zone and is taken as UTC with a slack of {DefaultSlack.TotalHours:0} h",
                "postgres.slack_seconds can be less where the column holds UTC"));
        if (ts.Nullable)
            warnings.Add(new("time",
                $"{ts.Name} may be NULL: such rows are looked for in every window, at a cost that grows with their number",
                $"ALTER TABLE {QualifiedName} ALTER COLUMN {Timestamp} SET NOT NULL"));
        if (Inherits is not null)
            warnings.Add(new("table",
                $"{Inherits} inherits from {QualifiedName}: rows of both with the same key are one row to the lake, since no key is unique "
                + "across them",
                "make them partitions of one table, or see to it that they share no key"));
        if (Unlogged is not null)
            warnings.Add(new("table",
                $"{Unlogged} is UNLOGGED: a crash of the server empties it, and the lake keeps its rows (verify finds them)",
                $"ALTER TABLE {Unlogged} SET LOGGED"));
        return warnings.ToImmutable().AddRange(ColumnWarnings).AddRange(TombstoneWarnings);
    }
}
