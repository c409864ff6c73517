using Npgsql;
using OrdersStream.Demo.Servers;
using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.Demo;

/// <summary>db/orders.sql on a private server, by Npgsql and, where there is one, by psql.</summary>
public sealed class OrdersScriptTests(OrdersScriptTests.Server server) : IClassFixture<OrdersScriptTests.Server>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public sealed class Server : IAsyncLifetime
    {
        private int databases;

        public LocalPostgres Postgres { get; private set; } = null!;

        public async ValueTask InitializeAsync() =>
            Postgres = await LocalPostgres.StartAsync(new LocalPostgresOptions(), CancellationToken.None);

        public async Task<string> FreshDatabaseAsync()
        {
            var name = $"db{Interlocked.Increment(ref databases)}";
            await Postgres.CreateDatabaseAsync(name, Token);
            return name;
        }

        public ValueTask DisposeAsync() => Postgres.DisposeAsync();
    }

    [Fact]
    public async Task the_first_run_fills_the_table_and_the_second_changes_nothing()
    {
        var database = await ApplyAsync("ab123", "reader_a");
        const string digest = "SELECT count(*) || ' ' || md5(string_agg(o::text, ',' ORDER BY order_id)) FROM ab123_orders o";
        var before = (string)(await ScalarAsync(database, digest))!;
        Assert.True(int.Parse(before.Split(' ')[0]) >= 20, before);
        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), "ab123", "reader_a", "secret", Token);
        Assert.Equal(before, await ScalarAsync(database, digest));
    }

    [Fact]
    public async Task two_roll_numbers_live_in_one_database()
    {
        var database = await ApplyAsync("one", "reader_b");
        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), "two", "reader_b", "secret", Token);
        Assert.Equal(2L, await ScalarAsync(database, "SELECT count(*) FROM pg_trigger WHERE tgname = 'orders_stream_set_times'"));
    }

    [Fact]
    public async Task updated_at_is_the_databases_own_whatever_the_client_says()
    {
        var database = await ApplyAsync("demo", "reader_c");
        await using var connection = await OpenAsync(server.Postgres.ConnectionString(database));
        Assert.Equal(true, await ScalarAsync(connection, """
            INSERT INTO demo_orders (customer_name, restaurant_name, item, amount, created_at, updated_at)
            VALUES ('a', 'b', 'c', 1, '2001-01-01Z', '2001-01-01Z')
            RETURNING updated_at > now() - interval '1 minute' AND created_at = '2001-01-01Z'
            """));
        Assert.Equal(true, await ScalarAsync(connection, """
            UPDATE demo_orders SET updated_at = '2001-01-01Z', created_at = '2002-02-02Z'
            WHERE customer_name = 'a' RETURNING updated_at > now() - interval '1 minute' AND created_at = '2001-01-01Z'
            """));
    }

    /// <summary>Logical replication applies rows past a trigger that is merely enabled; one that somebody disabled stays so.</summary>
    [Theory, InlineData("ENABLE", 'A'), InlineData("ENABLE ALWAYS", 'A'), InlineData("DISABLE", 'D'), InlineData("ENABLE REPLICA", 'R')]
    public async Task the_trigger_fires_for_every_writer_unless_somebody_wants_it_otherwise(string before, char after)
    {
        const string enabled =
            "SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'demo_orders'::regclass AND tgname = 'orders_stream_set_times'";
        var database = await ApplyAsync("demo", "reader_k");
        Assert.Equal('A', await ScalarAsync(database, enabled));
        await ScalarAsync(database, $"ALTER TABLE demo_orders {before} TRIGGER orders_stream_set_times");

        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), "demo", "reader_k", "secret", Token);

        Assert.Equal(after, await ScalarAsync(database, enabled));
    }

    [Fact]
    public async Task versions_of_a_row_follow_one_another_within_a_transaction()
    {
        var database = await ApplyAsync("demo", "reader_d");
        await using var connection = await OpenAsync(server.Postgres.ConnectionString(database));
        await using var transaction = await connection.BeginTransactionAsync(Token);
        var first = (DateTime)(await ScalarAsync(connection, "UPDATE demo_orders SET amount = 1 WHERE order_id = 1 RETURNING updated_at"))!;
        var second = (DateTime)(
            await ScalarAsync(connection, "UPDATE demo_orders SET amount = 2 WHERE order_id = 1 RETURNING updated_at"))!;
        Assert.True(second > first);
    }

    [Fact]
    public async Task a_status_outside_the_list_is_refused()
    {
        var database = await ApplyAsync("demo", "reader_e");
        var refused = await Assert.ThrowsAsync<PostgresException>(
            () => ScalarAsync(database, "UPDATE demo_orders SET order_status = 'LOST' WHERE order_id = 1"));
        Assert.Equal(PostgresErrorCodes.CheckViolation, refused.SqlState);
    }

    [Fact]
    public async Task the_pipelines_role_reads_the_table_and_nothing_else()
    {
        var database = await ApplyAsync("demo", "reader_f");
        await ScalarAsync(database, "CREATE TABLE secrets (n int)");
        await using var connection = await OpenAsync(server.Postgres.ConnectionStringOf("reader_f", "secret", database));
        Assert.True((long)(await ScalarAsync(connection, "SELECT count(*) FROM demo_orders"))! >= 20);
        Assert.Equal(true, await ScalarAsync(connection, "SELECT pg_has_role('pg_read_all_stats', 'MEMBER')"));
        foreach (
            var refused in new[]
            {
                "DELETE FROM demo_orders", "UPDATE demo_orders SET amount = 0", "SELECT * FROM secrets", "CREATE ROLE x",
            })
            Assert.Equal(
                PostgresErrorCodes.InsufficientPrivilege,
                (await Assert.ThrowsAsync<PostgresException>(() => ScalarAsync(connection, refused))).SqlState);
    }

    [Fact]
    public async Task the_role_that_runs_the_script_may_be_the_pipelines_own()
    {
        var database = await ApplyAsync("demo", LocalPostgres.Superuser);
        Assert.Equal(true, await ScalarAsync(database, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"));
    }

    [Fact]
    public async Task an_existing_role_keeps_its_password()
    {
        const string password = "SELECT rolpassword FROM pg_authid WHERE rolname = 'reader_g'";
        var database = await server.FreshDatabaseAsync();
        await ScalarAsync(database, "CREATE ROLE reader_g LOGIN PASSWORD 'own'");
        var before = await ScalarAsync(database, password);
        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), "demo", "reader_g", "other", Token);
        Assert.Equal(before, await ScalarAsync(database, password));
        Assert.Equal(true, await ScalarAsync(database, "SELECT has_table_privilege('reader_g', 'demo_orders', 'SELECT')"));
    }

    [Theory]
    [InlineData("a;b")]
    [InlineData("")]
    [InlineData("o'neill")]
    [InlineData("a\"b")]
    public async Task a_rollnumber_that_is_no_name_is_refused_and_nothing_is_made(string rollnumber)
    {
        var database = await server.FreshDatabaseAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(
            () => OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), rollnumber, "reader_h", "secret", Token));
        Assert.StartsWith("rollnumber is ", refused.MessageText);
        Assert.Equal(0L, await ScalarAsync(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"));
    }

    [Theory]
    [InlineData("2023BCS-0042_x")]
    [InlineData("123456789012345678901234567890123456789012345678")]
    public async Task any_rollnumber_that_the_configuration_takes_names_a_table(string rollnumber)
    {
        var database = await ApplyAsync(rollnumber, "reader_j");
        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), rollnumber, "reader_j", "secret", Token);
        Assert.Equal(24L, await ScalarAsync(database, $"SELECT count(*) FROM \"{rollnumber}_orders\""));
        Assert.Equal(2L, await ScalarAsync(database, $"SELECT count(*) FROM pg_indexes WHERE tablename = '{rollnumber}_orders'"));
    }

    [Fact]
    public async Task psql_makes_the_same_of_it()
    {
        var beside = (await PostgresBinaries.FindAsync(Token))!.Program("psql");
        var psql = File.Exists(beside) ? beside : "psql";
        using var folder = new TestFolder();
        var script = folder.PathOf("orders.sql");
        await File.WriteAllTextAsync(script, OrdersScript.Text(), Token);
        var ours = await ApplyAsync("same", "reader_i");
        var theirs = await server.FreshDatabaseAsync();
        var answer = await ChildProgram.TryRunAsync(
            [psql, "-X", "-q", "-h", server.Postgres.Host, "-p", $"{server.Postgres.Port}", "-U", LocalPostgres.Superuser, "-d", theirs,
                "-v", "rollnumber=same", "-v", "pipeline_role=reader_i", "-f", script], null, Token);
        Assert.SkipWhen(answer is null, "no psql on this machine");
        Assert.True(answer!.ExitCode == 0, answer.Output);
        const string shape = """
            SELECT (SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull, ', ' ORDER BY attnum)
                    FROM pg_attribute WHERE attrelid = 'same_orders'::regclass)
                || (SELECT string_agg(indexdef, ', ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'same_orders')
                || (SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, ', ') FROM pg_trigger
                    WHERE tgrelid = 'same_orders'::regclass)
                || (SELECT relacl::text FROM pg_class WHERE oid = 'same_orders'::regclass)
                || (SELECT count(*) || string_agg(customer_name, ',' ORDER BY order_id) FROM same_orders)
            """;
        Assert.Equal(await ScalarAsync(ours, shape), await ScalarAsync(theirs, shape));
    }

    private async Task<string> ApplyAsync(string rollnumber, string role)
    {
        var database = await server.FreshDatabaseAsync();
        await OrdersScript.ApplyAsync(server.Postgres.ConnectionString(database), rollnumber, role, "secret", Token);
        return database;
    }

    private async Task<object?> ScalarAsync(string database, string sql)
    {
        await using var connection = await OpenAsync(server.Postgres.ConnectionString(database));
        return await ScalarAsync(connection, sql);
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Token);
    }

    private static async Task<NpgsqlConnection> OpenAsync(string connectionString)
    {
        var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Token);
        return connection;
    }
}
