using System.Globalization;
using Npgsql;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.Benchmarks.Running;

/// <summary>A database with the orders table of db/orders.sql, and as many orders as are asked for.</summary>
internal sealed class OrdersSource : IAsyncDisposable
{
    public const string Rollnumber = "bench";
    public const string Table = "bench_orders";

    private readonly int port;

    private OrdersSource(TestDatabase database, int port) => (Database, this.port) = (database, port);

    public TestDatabase Database { get; }

    /// <summary>As the pipeline connects: by TCP, with the least rights.</summary>
    public NpgsqlConnectionStringBuilder Reader => new(Database.LoginOf(PostgresServer.PipelineRole).ConnectionString)
    {
        Host = "127.0.0.1", Port = port, Pooling = false,
    };

    /// <summary>An empty table.</summary>
    public static async Task<OrdersSource> CreateAsync(Servers servers, CancellationToken cancellationToken)
    {
        var source = new OrdersSource(await servers.Postgres.CreateDatabaseAsync(), servers.Postgres.Port);
        await OrdersScript.ApplyAsync(
            source.Owner, Rollnumber, PostgresServer.PipelineRole, PostgresServer.RolePassword, cancellationToken);
        await source.ExecuteAsync($"TRUNCATE {Table} RESTART IDENTITY", cancellationToken);
        return source;
    }

    /// <summary>
    /// Adds orders until there are so many, each with an updated_at of its own; leaves the table as it is after a quiet night.
    /// </summary>
    public async Task FillAsync(long rows, CancellationToken cancellationToken)
    {
        var present = await CountAsync();
        await ExecuteAsync(
            $"""
             SET session_replication_role = replica;
             INSERT INTO {Table} (customer_name, restaurant_name, item, amount, order_status, created_at, updated_at)
             SELECT ({Array(Orders.Customers)})[1 + (n * 7919 % {Orders.Customers.Length})::int],
                    ({Array(Orders.Restaurants)})[1 + (n * 31 % {Orders.Restaurants.Length})::int],
                    ({Array(Orders.Items)})[1 + (n * 131 % {Orders.Items.Length})::int], (10000 + n * 7919 % 50000) / 100.0,
                    ({Array(Orders.Statuses)})[1 + (n * 17 % {Orders.Statuses.Length})::int],
                    now(), now() - ({rows} - n) * interval '1 microsecond'
             FROM generate_series({present + 1}::bigint, {rows}) n;
             RESET session_replication_role
             """, cancellationToken);
        await SettleAsync(cancellationToken);
    }

    /// <summary>Nothing of what was done before is left to do for the server.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        await ExecuteAsync("VACUUM (FREEZE, ANALYZE)", cancellationToken);
        await ExecuteAsync("CHECKPOINT", cancellationToken);
    }

    public Task<long> CountAsync(string table = Table) => Database.ScalarAsync<long>($"SELECT count(*) FROM {table}");

    /// <summary>Bytes a row in the table's file.</summary>
    public async Task<long> RowBytesAsync() =>
        await Database.ScalarAsync<long>($"SELECT pg_relation_size('{Table}') / greatest(1, (SELECT count(*) FROM {Table}))");

    /// <summary>The server's processes that serve the pipeline.</summary>
    public async Task<IReadOnlyList<int>> PipelineSessionsAsync() =>
        [
            .. (await Database.TextRowsAsync($"SELECT pid::text FROM pg_stat_activity WHERE usename = '{PostgresServer.PipelineRole}'"))
                .Select(r => (int)Machine.Parse(r[0]!))];

    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(Owner);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => Database.DisposeAsync();

    /// <summary>As the one who owns the table.</summary>
    public string Owner => new NpgsqlConnectionStringBuilder(Database.Login.ConnectionString) { Pooling = false }.ConnectionString;

    private static string Array(IEnumerable<string> texts) =>
        string.Create(CultureInfo.InvariantCulture, $"ARRAY[{string.Join(", ", texts.Select(t => $"'{t.Replace("'", "''")}'"))}]");
}
