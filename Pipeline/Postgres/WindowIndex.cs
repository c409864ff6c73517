using System.Collections.Immutable;
using System.Text.Json;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>Tables that are read as a whole.</summary>
/// <param name="All">As a statement names them.</param>
internal sealed record WholeReads(ImmutableArray<string> All);

/// <summary>
/// Whether the server has a way to the rows of a window that does not lead through all others: asked of its planner, which also knows of
/// partitions that lack an index, of invalid ones and of those that have a condition.
/// </summary>
internal static class WindowIndex
{
    /// <summary>Which tables a poll would read as a whole, because no index leads to what is new.</summary>
    /// <param name="connection">To the server.</param>
    /// <param name="table">The table.</param>
    /// <param name="since">Where the window begins.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public static async Task<WholeReads> ReadWholeAsync(
        NpgsqlConnection connection, SourceTable table, DateTime since, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Of a small table the planner reads all by choice; without that choice it shows whether there is another way.
        await using var command = new NpgsqlCommand(
            $"SET LOCAL enable_seqscan = off; EXPLAIN (VERBOSE, FORMAT JSON) {table.SelectRows} WHERE {table.NotBelow(since)} "
            + $"ORDER BY {table.Timestamp}, {table.Key}", connection);
        using var plan = JsonDocument.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!);
        var column = table.Schema.Columns[table.Schema.TimestampColumn].Name;
        return new([.. Leaves(plan.RootElement[0].GetProperty("Plan")).Where(leaf => !IsLedBy(leaf, column)).Select(Name).OfType<string>()
            .Distinct()]);
    }

    private static IEnumerable<JsonElement> Leaves(JsonElement node) =>
        node.TryGetProperty("Plans", out var children) ? children.EnumerateArray().SelectMany(Leaves) : [node];

    private static bool IsLedBy(JsonElement leaf, string column) =>
        leaf.TryGetProperty("Index Cond", out var condition) && condition.GetString()!.Contains(column, StringComparison.Ordinal);

    // A leaf of no table (a part that was ruled out) has neither.
    private static string? Name(JsonElement leaf) =>
        leaf.TryGetProperty("Relation Name", out var table) ? Qualified(leaf, table.GetString()!)
        : leaf.TryGetProperty("Index Name", out var index) ? index.GetString() : null;

    private static string Qualified(JsonElement leaf, string table) =>
        leaf.TryGetProperty("Schema", out var schema)
            ? $"{Sql.Identifier(schema.GetString()!)}.{Sql.Identifier(table)}"
            : Sql.Identifier(table);
}
