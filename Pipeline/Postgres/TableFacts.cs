using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using Npgsql;
using OrdersStream.Rows;

namespace OrdersStream.Postgres;

/// <summary>
/// What the catalogue says of a table, as far as it can change rows without a new version of them, or bring rows in that are older than
/// the last horizon. It is part of a horizon, so that the next one can tell what changed in between.
/// </summary>
/// <param name="Storage">Digest of the files of the table and all that belongs to it: another one after each rewrite.</param>
/// <param name="IsGuarded">A trigger sets the ordering column for every writer.</param>
/// <param name="Values">
/// What decides how stored values read: name and type of each column (<c>a</c> and its number; in place of the type of one that is not
/// carried stands a mark), each label of its enums (<c>l</c> and its oid), and the attributes of each composite type below its columns
/// (<c>c</c> and its oid), as digests.
/// </param>
/// <param name="Seen">Transactions at or above the horizon's H that had changed the catalogue's rows of the table.</param>
/// <param name="Triggers">Digest of its triggers and of who wrote them and their functions last; null: not known.</param>
public sealed record TableFacts(
    string Storage, bool IsGuarded, ImmutableSortedDictionary<string, string> Values, ImmutableArray<uint> Seen, string? Triggers = null)
{
    private const int DigestLength = 8;

    /// <summary>In the place of a type: the column is not carried, so it reads as NULL.</summary>
    internal const string NotCarried = "-";

    /// <summary>Digests of the names of columns that it had, and has no more; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ImmutableSortedSet<string>? Gone { get; init; }

    /// <summary>While the rows up to the horizon were read a column had another name, or another one ordered them.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsMixed { get; init; }

    /// <summary>Digest of the condition by which rows count as deleted; null: none does.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? DeletedWhen { get; init; }

    /// <summary>The ordering column, as it is named in <see cref="Values"/>: the horizon's times are its; null: not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? OrderedBy { get; init; }

    /// <summary>It, with what it takes from the one before to know a name again.</summary>
    public TableFacts Following(TableFacts? before)
    {
        if (before is null) return this;
        var gone = before.GoneIn(this);
        return gone.Count == 0 ? this : this with { Gone = [.. gone] };
    }

    /// <summary>
    /// Rows up to the horizon were read by such columns: one that is added to them changes no value, another name does; and another
    /// ordering column leaves rows out.
    /// </summary>
    public TableFacts ReadBy(TableSchema schema)
    {
        if (IsMixed) return this;
        // In the table's order: of two that exchanged their names each has one that is known. One that is added comes last.
        var names = Values.Where(v => IsColumn(v.Key) && IsCarried(v.Value))
            .OrderBy(v => int.Parse(v.Key.AsSpan(1), CultureInfo.InvariantCulture)).Select(v => NameOf(v.Value)).ToList();
        var isAsKnown = schema.Columns.Take(names.Count).Select(c => DigestOf(c.Name)).SequenceEqual(names) && IsOrderedBy(schema);
        return isAsKnown ? this : this with { IsMixed = true };
    }

    /// <summary>By the column that orders them now, as far as it is known.</summary>
    public bool IsOrderedBy(TableSchema schema) =>
        OrderedBy is null || NameOf(Values[OrderedBy]) == DigestOf(schema.Columns[schema.TimestampColumn].Name);

    /// <summary>Why stored rows read otherwise than they did, though they were not written since; empty: they do not.</summary>
    /// <param name="now">The table as it is.</param>
    /// <param name="filled">Columns that rows have a value of which they were not written with.</param>
    /// <param name="written">What of its values was written since, labels maybe as they had been.</param>
    public string WhatReadsOtherwise(TableFacts now, IEnumerable<string> filled, IEnumerable<string> written)
    {
        // What is left out from now on stays in the lake as it is.
        var changed = now.Values.Where(v => IsCarried(v.Value) && Values.GetValueOrDefault(v.Key, v.Value) != v.Value)
            .Select(v => v.Key).ToList();
        var reasons = new List<string>();
        if (changed.RemoveAll(c => !IsCarried(Values[c])) > 0) reasons.Add("a column is carried that was not");
        if (changed.Exists(IsColumn)) reasons.Add("a column has another name or type");
        else if (IsMixed) reasons.Add("a column had another name, or another one ordered the rows, while they were read");
        if (changed.Exists(IsLabel) || written.Any(w => IsLabel(w) && Values.ContainsKey(w))) reasons.Add("a label of an enum was renamed");
        if (changed.Exists(c => !IsColumn(c) && !IsLabel(c))) reasons.Add("a composite type got or lost an attribute");
        if (filled.Any(c => !Values.ContainsKey(c))) reasons.Add("a column was added with a value for the rows that were there");
        var gone = GoneIn(now);
        if (now.Values.Any(v => IsColumn(v.Key) && IsCarried(v.Value) && !Values.ContainsKey(v.Key) && gone.Contains(NameOf(v.Value))))
            reasons.Add("a column was dropped and added again");
        if (DeletedWhen != now.DeletedWhen) reasons.Add("postgres.deleted_when is another");
        if (IsReordered(now)) reasons.Add("another column orders the rows");
        return string.Join(", ", reasons);
    }

    /// <summary>Nothing says that rows of any age came, or read otherwise, where transaction ids do not tell what came since.</summary>
    public bool IsAsIn(TableFacts now) =>
        !IsMixed && Storage == now.Storage && Values.SequenceEqual(now.Values) && DeletedWhen == now.DeletedWhen
        && (Triggers is null || Triggers == now.Triggers) && !IsReordered(now);

    /// <summary>By another column: times of the one say nothing of the other's.</summary>
    public bool IsReordered(TableFacts now) => OrderedBy is not null && OrderedBy != now.OrderedBy;

    /// <summary>What still holds up to an id: a file that another makes under an id that is given again may have the same number.</summary>
    public TableFacts UpTo(uint newest, bool isLess)
    {
        var seen = Seen.RemoveAll(x => (int)(x - newest) > 0);
        return isLess || seen.Length < Seen.Length ? this with { Seen = seen, Storage = "" } : this;
    }

    private HashSet<string> GoneIn(TableFacts now) =>
        [.. Gone ?? [], .. Values.Where(v => IsColumn(v.Key) && !now.Values.ContainsKey(v.Key)).Select(v => NameOf(v.Value))];

    internal static string DigestOf(string name) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..DigestLength];

    private static string NameOf(string column) => column.Split(':')[0];

    internal static bool IsColumn(string name) => name.StartsWith('a');

    private static bool IsLabel(string name) => name.StartsWith('l');

    private static bool IsCarried(string column) => !column.EndsWith($":{NotCarried}", StringComparison.Ordinal);
}

/// <summary>What changed of the table between two horizons, other than by new versions of its rows.</summary>
/// <param name="Joined">
/// Tables that became part of it (ATTACH PARTITION, INHERIT): their rows may be older than the earlier horizon, by id and by time.
/// </param>
/// <param name="IsRewritten">
/// Rows may have been written without the time that capture relies on: its files were replaced (a rewrite, TRUNCATE and a reload). The ids
/// tell them.
/// </param>
/// <param name="IsUnguarded">The same, past a trigger that was changed: who did may be open still.</param>
/// <param name="Reread">Why all rows are captured again: their values may be others without a new version; empty: no reason.</param>
internal sealed record TableChange(ImmutableArray<uint> Joined, bool IsRewritten, bool IsUnguarded, string Reread)
{
    public static readonly TableChange None = new([], false, false, "");

    /// <summary>A trigger that writes deletes down was changed: it may have been off, or its function another, for a while.</summary>
    public bool AreDeletesInDoubt { get; init; }

    /// <summary>
    /// Rows may be under other keys than they were, past all triggers: a label of the key's was renamed, or a column of it rewritten.
    /// </summary>
    public bool AreKeysInDoubt { get; init; }

    /// <summary>Another column orders the rows: those that were written since may have any time by it. The ids tell them.</summary>
    public bool IsReordered { get; init; }

    /// <param name="since">The horizon before; null: this is the first.</param>
    /// <param name="now">The table as it is.</param>
    /// <param name="touched">What in the catalogue was written since.</param>
    public static TableChange Of(Horizon? since, TableFacts now, TouchedCatalogue touched)
    {
        if (since is null) return None with { IsUnguarded = touched.Triggers };
        // A position of an earlier version does not say how values read.
        if (since.Facts is not { } before)
            return new(touched.Joined, touched.Files, touched.Triggers, touched.Values.Count == 0 ? "" : "a column or a label was changed");

        var isRewritten = touched.Files && touched.Kept != before.Storage;
        var filled = isRewritten ? [.. touched.Filled, .. touched.Defaulted] : touched.Filled;
        return new(
            touched.Joined, isRewritten, touched.Triggers || before.IsGuarded != now.IsGuarded,
            before.WhatReadsOtherwise(now, filled, touched.Values))
        {
            IsReordered = before.IsReordered(now),
            AreKeysInDoubt = touched.Key.Any(k => (isRewritten || !TableFacts.IsColumn(k)) && before.Values.TryGetValue(k, out var was)
                && (was != now.Values[k] || touched.Values.Contains(k))),
        };
    }
}

/// <summary>What in the catalogue was written since a horizon.</summary>
/// <param name="Joined">Tables that became part of the table.</param>
/// <param name="Files">A row of one of its files.</param>
/// <param name="Kept">Digest of the files of all that did not join: as the table's was, where none was replaced.</param>
/// <param name="Triggers">A trigger, or a function of one.</param>
/// <param name="Filled">Columns that rows have a value of which they were not written with.</param>
/// <param name="Defaulted">Other columns with a default.</param>
/// <param name="Values">Columns, and labels of enums.</param>
internal sealed record TouchedCatalogue(
    ImmutableArray<uint> Joined, bool Files, string Kept, bool Triggers, IReadOnlyList<string> Filled, IReadOnlyList<string> Defaulted,
    IReadOnlyList<string> Values)
{
    /// <summary>Of all columns and labels those of the key.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];
}

/// <summary>Reads a table's facts, and what in the catalogue was written since a horizon, in the snapshot of the next one.</summary>
/// <param name="table">The table.</param>
/// <param name="since">The horizon before; null: this is the first, or its ids mean nothing any more.</param>
/// <param name="to">The next one, as far as it is taken.</param>
internal sealed class TableFactsReader(SourceTable table, Horizon? since, Horizon to)
{
    private const string Tree =
        """
        WITH RECURSIVE tree (oid, joined, by) AS (
            SELECT $1::oid, false, NULL::xid
            UNION ALL
            SELECT i.inhrelid, t.joined OR {0}, i.xmin FROM tree t JOIN {3} ON i.inhparent = t.oid
        ), part AS (
            SELECT c.oid, c.relfilenode, bool_and(t.joined) AS joined, {1} AS changed, c.xmin AS by
            FROM tree t JOIN pg_class c ON c.oid = t.oid GROUP BY c.oid, c.relfilenode, c.xmin
        ), guard AS (
            SELECT part.joined, t.oid, t.xmin AS by, f.xmin AS function_by
            FROM part JOIN pg_trigger t ON t.tgrelid = part.oid JOIN pg_proc f ON f.oid = t.tgfoid WHERE {2}
        ), deleter AS (
            SELECT t.xmin AS by, f.xmin AS function_by
            FROM part JOIN pg_trigger t ON t.tgrelid = part.oid AND NOT part.joined JOIN pg_proc f ON f.oid = t.tgfoid
            WHERE t.tgtype & 56 <> 0 AND strpos(f.prosrc, (SELECT relname FROM pg_class WHERE oid = {4})) > 0
        ), types (oid, of_key) AS (
            SELECT atttypid, attname IN ({5}) FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
            UNION
            SELECT below.oid, of_key FROM types JOIN pg_type t USING (oid), LATERAL (
                VALUES (t.typbasetype), (t.typelem)
                UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
                UNION ALL SELECT r.rngtypid FROM pg_range r WHERE to_jsonb(r) ->> 'rngmultitypid' = t.oid::text
            ) below (oid)
            WHERE below.oid <> 0
        )
        """;

    private const string Digest = "md5(string_agg(oid || ':' || relfilenode, ',' ORDER BY oid))";

    /// <summary>
    /// One row: digest of the files, oids that joined, whether files of the others may be others, whether triggers may, who at or above H
    /// wrote it, digest of the triggers, and of the others' files, whether the triggers that write deletes down may be others.
    /// </summary>
    public NpgsqlBatchCommand Storage() => Command(
        $"""
        SELECT (SELECT {Digest} FROM part),
               (SELECT coalesce(array_agg(oid ORDER BY oid), ARRAY[]::oid[]) FROM part
                WHERE joined AND relfilenode <> 0 AND pg_relation_size(oid) > 0),
               (SELECT coalesce(bool_or(changed), false) FROM part WHERE NOT joined AND relfilenode <> 0),
               EXISTS (SELECT FROM guard WHERE NOT joined AND ({IsUnguarded("by")} OR {IsUnguarded("function_by")})),
               (SELECT coalesce(array_agg(DISTINCT x::text), ARRAY[]::text[]) FROM (
                    SELECT by FROM tree UNION ALL SELECT by FROM part UNION ALL SELECT by FROM guard UNION ALL SELECT function_by FROM guard
                    UNION ALL SELECT by FROM deleter UNION ALL SELECT function_by FROM deleter
                    UNION ALL SELECT xmin FROM pg_enum WHERE enumtypid IN (SELECT oid FROM types)
                ) changes (x) WHERE {IsNotBelow("x")}),
               (SELECT coalesce(md5(string_agg(oid || ':' || by::text || ':' || function_by::text, ',' ORDER BY oid)), '') FROM guard),
               (SELECT {Digest} FROM part WHERE NOT joined),
               EXISTS (SELECT FROM deleter WHERE {IsDeleterNew("by")} OR {IsDeleterNew("function_by")})
        """);

    /// <summary>
    /// A row for each column, label and composite type: its name in the facts, its digest, whether rows have a value of it that they were
    /// not written with, whether it has a default, whether it was written since, whether it is of the key, whether it orders the rows.
    /// </summary>
    public NpgsqlBatchCommand Values() => Command(
        $"""
        SELECT 'a' || a.attnum,
               left(encode(sha256(convert_to(a.attname, 'UTF8')), 'hex'), 8) || ':'
                   || CASE WHEN {IsCarried} THEN left(md5(format_type(a.atttypid, NULL)), 8) ELSE '{TableFacts.NotCarried}' END,
               (SELECT coalesce(bool_or(m.atthasmissing OR m.attgenerated = 'v' OR
                                        (m.attrelid <> $1 AND m.attislocal AND m.attinhcount > 0)), false)
                FROM part JOIN pg_attribute m ON m.attrelid = part.oid WHERE m.attname = a.attname AND NOT m.attisdropped)
                   AND {IsCarried},
               a.atthasdef AND {IsCarried}, {IsNew("a.xmin")} AND {IsCarried}, a.attname IN ({Key}),
               a.attname = {Timestamp}
        FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'l' || e.oid, left(md5(e.enumlabel), 8), false, false, {IsNew("e.xmin")},
               e.enumtypid IN (SELECT oid FROM types WHERE of_key), false
        FROM pg_enum e WHERE e.enumtypid IN (SELECT oid FROM types)
        UNION ALL
        SELECT 'c' || c.oid, left(md5(string_agg(f.attnum || ':' || f.atttypid, ',' ORDER BY f.attnum)), 8), false, false, false, false,
               false
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
             JOIN pg_attribute f ON f.attrelid = c.oid AND f.attnum > 0 AND NOT f.attisdropped
        WHERE t.oid IN (SELECT oid FROM types) GROUP BY c.oid
        """);

    /// <summary>Reads what both said.</summary>
    public async Task<(TableFacts Facts, TableChange Change)> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        await reader.ReadAsync(cancellationToken);
        var (storage, joined) = (reader.GetString(0), reader.GetFieldValue<uint[]>(1));
        var (filesTouched, triggersTouched) = (reader.GetBoolean(2), reader.GetBoolean(3));
        var seen = reader.GetFieldValue<string[]>(4).Select(x => uint.Parse(x, CultureInfo.InvariantCulture))
            .Where(x => !to.IsOpen(x)).Order();
        var (triggers, kept, deletersTouched) = (reader.GetString(5), reader.GetString(6), reader.GetBoolean(7));
        await reader.NextResultAsync(cancellationToken);
        var values = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        var (filled, defaulted, written, key) = (new List<string>(), new List<string>(), new List<string>(), new List<string>());
        string? orderedBy = null;
        while (await reader.ReadAsync(cancellationToken))
        {
            var name = reader.GetString(0);
            values[name] = reader.GetString(1);
            if (reader.GetBoolean(2)) filled.Add(name);
            else if (reader.GetBoolean(3)) defaulted.Add(name);
            if (reader.GetBoolean(4)) written.Add(name);
            if (reader.GetBoolean(5)) key.Add(name);
            if (reader.GetBoolean(6)) orderedBy = name;
        }
        var facts = new TableFacts(storage, table.Trigger.Counts, values.ToImmutable(), [.. seen], triggers)
        {
            DeletedWhen = table.DeletedWhen is { } condition ? TableFacts.DigestOf(condition) : null,
            OrderedBy = orderedBy,
        };
        var touched = new TouchedCatalogue([.. joined], filesTouched, kept, triggersTouched, filled, defaulted, written) { Key = key };
        return (facts, TableChange.Of(since, facts, touched) with { AreDeletesInDoubt = deletersTouched });
    }

    // What is not carried reads as nothing, whatever becomes of it, until it is.
    private string IsCarried => table.Excluded.IsEmpty
        ? "true"
        : $"a.attname NOT IN ({string.Join(", ", table.Excluded.Select(Sql.Literal))})";

    private string Key => string.Join(", ", table.Schema.KeyColumns.Select(k => Sql.Literal(table.Schema.Columns[k].Name)));

    private string Timestamp => Sql.Literal(table.Schema.Columns[table.Schema.TimestampColumn].Name);

    private NpgsqlBatchCommand Command(string select)
    {
        var tree = Tree.Replace("{0}", IsNew("i.xmin")).Replace("{1}", IsNew("c.xmin"))
            .Replace("{2}", TableTree.IsBeforeRow).Replace("{3}", TableTree.Children)
            .Replace("{4}", $"{table.Tombstones?.Oid ?? 0}").Replace("{5}", Key);
        return new($"{tree} {select}") { Parameters = { new() { Value = (long)table.Oid } } };
    }

    /// <summary>
    /// The condition that rows may come that were written before a transaction changed a trigger. Before the first horizon nobody looked:
    /// then who is open may have begun before it.
    /// </summary>
    public string IsUnguarded(string xid) => since is null ? IsNotBelow(xid) : IsNew(xid);

    // Those that were made with the table of deletes, or before it could be read, are new with it.
    private string IsDeleterNew(string xid) =>
        table.Tombstones is { } tombstones && since?.Tombstones == tombstones.Oid ? IsNew(xid) : "false";

    private string IsNotBelow(string xid) => $"age({xid}) BETWEEN 0 AND age('{(uint)to.Xmin}'::xid)";

    /// <summary>The condition that a transaction is not in the horizon before, by what it saw of the catalogue.</summary>
    public string IsNew(string xid) => since is null ? "false" : $"NOT {(since with { Seen = since.Facts?.Seen ?? [] }).Contains(xid)}";
}
