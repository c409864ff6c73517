using System.Text.Json.Serialization;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// Which table of which server a position belongs to (invariant 6). Transaction ids mean nothing across a rewind, so the
/// timeline is part of it: it changes when a standby is promoted or a backup is restored.
/// </summary>
/// <param name="System">The cluster's system identifier.</param>
/// <param name="Timeline">Eight hexadecimal digits.</param>
/// <param name="Database">Database name.</param>
/// <param name="Table">Schema and table name, as <c>schema.table</c>.</param>
/// <param name="TableOid">The table's oid: another one under the same name is another table.</param>
public sealed record SourceIdentity(string System, string Timeline, string Database, string Table, uint TableOid)
{
    /// <summary>
    /// The database's oid: a copy of it that got its name has the system, and the other oids, files and transaction ids, of the original,
    /// but not what was committed there since. Null: not known, as in a position of an earlier version.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public uint? DatabaseOid { get; init; }

    /// <summary>The same table, whatever the timeline.</summary>
    public bool IsSameTable(SourceIdentity other) =>
        System == other.System && Database == other.Database && Table == other.Table && TableOid == other.TableOid
        && (DatabaseOid is null || other.DatabaseOid is null || DatabaseOid == other.DatabaseOid);

    /// <summary>It, with what is known of the same table now and was not when it was written down.</summary>
    public SourceIdentity KnownAs(SourceIdentity present) => this with { DatabaseOid = DatabaseOid ?? present.DatabaseOid };

    /// <exception cref="PipelineException">A position in one table says nothing about another.</exception>
    public void CheckSameTable(SourceIdentity present)
    {
        if (IsSameTable(present)) return;
        throw new PipelineException(FailureAction.Stop,
            $"The position of this stream belongs to {this}, but the configuration leads to {present}.",
            "Correct the postgres section. If the table, or its database, really was replaced by another one, start a new stream: "
            + "a new topic, new streaming folders and a new datalake.path.");
    }

    public override string ToString() =>
        $"table {Table} (oid {TableOid}) of database {Database}{(DatabaseOid is { } oid ? $" (oid {oid})" : "")} on system {System}, "
        + $"timeline {Timeline}";
}
