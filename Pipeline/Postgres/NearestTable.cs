using Npgsql;
using OrdersStream.Configuration;

namespace OrdersStream.Postgres;

/// <summary>Which table may be meant where there is none of the configured name.</summary>
internal static class NearestTable
{
    private const int TablesMax = 10_000;

    /// <summary>A sentence with a blank behind it, or nothing.</summary>
    public static async Task<string> OfAsync(NpgsqlConnection connection, PostgresOptions options, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT n.nspname, c.relname FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p') "
            + "WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' "
            + $"ORDER BY n.nspname = $1 DESC, 1, 2 LIMIT {TablesMax}", connection) { Parameters = { new() { Value = options.Schema } } };
        var found = new List<(string Schema, string? Table)>();
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
            while (await reader.ReadAsync(cancellationToken))
                found.Add((reader.GetString(0), reader.IsDBNull(1) ? null : reader.GetString(1)));
        return Of(options.Schema, options.Table, found);
    }

    /// <param name="schema">The configured one.</param>
    /// <param name="table">The configured one.</param>
    /// <param name="found">All that there are; a schema without tables has one line with none.</param>
    internal static string Of(string schema, string table, IReadOnlyList<(string Schema, string? Table)> found)
    {
        var here = found.Where(f => f.Schema == schema).Select(f => f.Table).OfType<string>().ToList();
        if (Dotted(table, found) is { } dotted)
            return $"Write the schema as postgres.schema: {dotted.Schema}, and {dotted.Table} as postgres.table. ";
        if (here.Find(t => t.Equals(table, StringComparison.OrdinalIgnoreCase)) is { } folded)
            return $"There is {folded}: Postgres makes small letters of a name that is written without quotes, and here it is taken as it "
                + $"is written. Write postgres.table: {folded}, or ROLLNUMBER so. ";
        if (found.FirstOrDefault(f => f.Table == table) is { Table: not null } elsewhere)
            return $"There is one in schema {elsewhere.Schema}: set postgres.schema. ";
        var schemas = found.Select(f => f.Schema).Distinct().ToList();
        if (!schemas.Contains(schema))
            return NearestName.Of(schema, schemas) is { } like
                ? $"There is no schema {schema}; did you mean {like}? "
                : $"There is no schema {schema}. ";
        return NearestName.Of(table, here) is { } near ? $"Did you mean {near}? " : "";
    }

    /// <summary>The one that a name with its schema before it means: as it is written, else in other capitals, else the nearest.</summary>
    private static (string Schema, string Table)? Dotted(string name, IReadOnlyList<(string Schema, string? Table)> found)
    {
        foreach (var comparison in (StringComparison[])[StringComparison.Ordinal, StringComparison.OrdinalIgnoreCase])
            if (found.FirstOrDefault(f => $"{f.Schema}.{f.Table}".Equals(name, comparison)) is { Table: { } table } one)
                return (one.Schema, table);
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0) return null;
        var there = found.Where(f => f.Schema.Equals(name[..dot], StringComparison.OrdinalIgnoreCase)).ToList();
        return NearestName.Of(name[(dot + 1)..], there.Select(f => f.Table).OfType<string>()) is { } near
            ? (there.First(f => f.Table == near).Schema, near) : null;
    }
}
