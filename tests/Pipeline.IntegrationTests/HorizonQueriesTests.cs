using OrdersStream.Configuration;
using OrdersStream.Postgres;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>What a horizon asks of the rows is answered by the index, however many there are.</summary>
public sealed class HorizonQueriesTests(PostgresServer postgres)
{
    [Fact]
    public async Task the_newest_rows_are_found_without_reading_the_table()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await database.ExecuteAsync(
            "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL); CREATE INDEX ON items (updated_at, id); "
            + "INSERT INTO items SELECT n, now() - n * interval '1 second' FROM generate_series(1, 10000) n; ANALYZE items");
        var options = new PostgresOptions
        {
            Host = database.Host, Port = database.Port, Db = database.Name, User = PostgresServer.PipelineRole,
            Password = PostgresServer.RolePassword, Schema = "public", Table = "items",
        };
        await using var connection = await SourceConnection.OpenAsync(options, TestContext.Current.CancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options, TestContext.Current.CancellationToken);

        var rows = await database.TextRowsAsync($"EXPLAIN {HorizonQueries.Newest(table, TimeProvider.System.GetUtcNow().UtcDateTime)}");
        var plan = string.Join('\n', rows.Select(r => r[0]));

        Assert.Contains("Index Scan Backward", plan, StringComparison.Ordinal);
        Assert.DoesNotContain("Sort", plan, StringComparison.Ordinal);
    }
}
