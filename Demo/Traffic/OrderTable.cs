using Npgsql;

namespace OrdersStream.Demo.Traffic;

/// <summary>The statements of the application that takes orders.</summary>
internal sealed class OrderTable(string name)
{
    private readonly string table = $"\"{name.Replace("\"", "\"\"")}\"";

    /// <summary>Places orders; returns their ids in no order.</summary>
    public async Task<IReadOnlyList<long>> PlaceAsync(
        NpgsqlConnection connection, IReadOnlyList<NewOrder> orders, CancellationToken cancellationToken)
    {
        await using var insert = new NpgsqlCommand(
            $"""
            INSERT INTO {table} (customer_name, restaurant_name, item, amount)
            SELECT * FROM unnest($1, $2, $3, $4) RETURNING order_id
            """,
            connection)
        {
            Parameters =
            {
                new() { Value = orders.Select(o => o.Customer).ToArray() },
                new() { Value = orders.Select(o => o.Restaurant).ToArray() },
                new() { Value = orders.Select(o => o.Item).ToArray() },
                new() { Value = orders.Select(o => o.Amount).ToArray() },
            },
        };
        return await IdsAsync(insert, cancellationToken);
    }

    public Task<IReadOnlyList<long>> PlaceAsync(
        NpgsqlConnection connection, int count, Random random, CancellationToken cancellationToken) =>
        PlaceAsync(connection, [.. Enumerable.Range(0, count).Select(_ => Menu.Order(random))], cancellationToken);

    /// <summary>Moves orders to their next status.</summary>
    public async Task ChangeStatusAsync(
        NpgsqlConnection connection, IReadOnlyList<(long Id, string Status)> changes, CancellationToken cancellationToken)
    {
        await using var update = new NpgsqlCommand(
            $"UPDATE {table} o SET order_status = c.status FROM unnest($1, $2) AS c (id, status) WHERE o.order_id = c.id", connection)
        {
            Parameters =
            {
                new() { Value = changes.Select(c => c.Id).ToArray() },
                new() { Value = changes.Select(c => c.Status).ToArray() },
            },
        };
        await update.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Loads orders that all bear one timestamp. Only a superuser can: the trigger is kept from setting it.</summary>
    public async Task<IReadOnlyList<long>> LoadWithOneTimestampAsync(
        NpgsqlConnection connection, int count, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, "SET LOCAL session_replication_role = replica", cancellationToken);
        await using var insert = new NpgsqlCommand(
            $"""
            INSERT INTO {table} (customer_name, restaurant_name, item, amount, updated_at)
            SELECT 'Office Party', 'Punjab Grill', 'Thali ' || n, 250, now() FROM generate_series(1, $1) n RETURNING order_id
            """,
            connection) { Parameters = { new() { Value = count } } };
        var ids = await IdsAsync(insert, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return ids;
    }

    public static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<IReadOnlyList<long>> IdsAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        var ids = new List<long>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) ids.Add(reader.GetInt64(0));
        return ids;
    }
}
