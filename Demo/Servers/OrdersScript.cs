using Npgsql;

namespace OrdersStream.Demo.Servers;

/// <summary>Applies db/orders.sql without psql.</summary>
public static class OrdersScript
{
    private const string ResourceName = "orders.sql";

    /// <param name="connectionString">A superuser's, to the database that is to hold the table.</param>
    /// <param name="rollnumber">The table becomes <c>{rollnumber}_orders</c>.</param>
    /// <param name="role">The pipeline's role.</param>
    /// <param name="password">Its password, where the script makes it.</param>
    public static async Task ApplyAsync(
        string connectionString, string rollnumber, string role, string password, CancellationToken cancellationToken)
    {
        var sql = PsqlScript.ToSql(
            Text(),
            new Dictionary<string, string> { ["rollnumber"] = rollnumber, ["pipeline_role"] = role, ["pipeline_password"] = password },
            new Dictionary<string, string>());
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public static string Text()
    {
        using var resource = typeof(OrdersScript).Assembly.GetManifestResourceStream(ResourceName)!;
        using var reader = new StreamReader(resource);
        return reader.ReadToEnd();
    }
}
