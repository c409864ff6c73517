using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// A collation by which a key is sorted, and whose version is another than the one that the server wrote down for it: another version of
/// the operating system, or of ICU, sorts otherwise, and an index that was built before is not in the order in which it is searched.
/// Whoever reads by it, behind a cursor or in ranges, passes rows over: capture and the audit alike.
/// </summary>
/// <param name="Refresh">The statement that writes the present version down.</param>
/// <param name="Recorded">The version that is written down.</param>
/// <param name="Actual">The version that the server has now; null: it has none.</param>
internal sealed record ChangedCollation(string Refresh, string Recorded, string? Actual)
{
    /// <summary>Whether the server writes down of a database, too, of which version its own collation was.</summary>
    private static readonly Version WritesDatabases = new(15, 0);

    /// <summary>
    /// It as a column of three texts, for a column <c>a</c> of pg_attribute of which an index has unique values; NULL: its version is as it
    /// was, is not written down, or it has none.
    /// </summary>
    public static string SelectOf(Version server)
    {
        var ofDatabase = server < WritesDatabases ? "" :
            """
             UNION ALL
            SELECT format('ALTER DATABASE %I REFRESH COLLATION VERSION', d.datname), d.datcollversion,
                   pg_database_collation_actual_version(d.oid)
            FROM pg_collation c, pg_database d
            WHERE c.oid = a.attcollation AND c.collprovider = 'd' AND d.datname = current_database()
            """;
        return
            $"""
            (SELECT ARRAY[refresh, recorded, actual] FROM (
                SELECT format('ALTER COLLATION %I.%I REFRESH VERSION', n.nspname, c.collname), c.collversion,
                       pg_collation_actual_version(c.oid)
                FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
                WHERE c.oid = a.attcollation AND c.collprovider <> 'd'{ofDatabase}
             ) v (refresh, recorded, actual)
             WHERE recorded IS DISTINCT FROM actual AND recorded IS NOT NULL
               AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey)))
            """;
    }

    /// <summary>What an operator should know.</summary>
    /// <param name="column">The key's column that it sorts.</param>
    /// <param name="table">Its table, quoted.</param>
    public Advice Warning(string column, string table) => new("index",
        $"{column}, a column of the key, is sorted by a collation that was of version {Recorded} and is of version {Actual ?? "none"} now: "
        + "rows may be passed over wherever the table is read by an index that was built before",
        $"REINDEX TABLE {table}; {Refresh}");
}
