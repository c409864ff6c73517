using Npgsql;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>The pipeline's role needs little, and with less it is careful and says so.</summary>
public sealed class RoleTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task the_least_privilege_role_is_enough()
    {
        await using var stream = await AsRoleAsync(PostgresServer.PipelineRole, o => o);
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await late.ExecuteAsync("COMMIT");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("pg_read_all_stats", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_role_that_cannot_see_others_transactions_reads_back_a_fixed_time_and_says_so()
    {
        await using var stream = await AsRoleAsync(PostgresServer.BlindRole, o => o with { LateCommitSeconds = 600 });
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync(
            "BEGIN; INSERT INTO items (id) VALUES (1000); INSERT INTO items (id, updated_at) VALUES (1001, now() - interval '500 s')");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await late.ExecuteAsync("COMMIT");

        Assert.Equal(2, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Contains(
            stream.Log.Warnings,
            w => w.Contains("GRANT pg_read_all_stats", StringComparison.Ordinal) && w.Contains("600 s", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_role_that_may_not_read_the_table_stops_with_what_to_grant()
    {
        await using var stream = await AsRoleAsync(PostgresServer.PipelineRole, o => o);
        await stream.ExecuteAsync($"REVOKE SELECT ON items FROM {PostgresServer.PipelineRole}");

        var failure = await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);

        var verdict = FailurePolicy.Judge(failure);
        Assert.Equal(FailureAction.Stop, verdict.Action);
        Assert.Contains("GRANT SELECT", verdict.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_wrong_password_is_not_told()
    {
        await using var stream = await AsRoleAsync(
            PostgresServer.PipelineRole, o => o with { User = "nobody_of_this_name", Password = "the-secret-word" });

        var failure = await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, FailurePolicy.Judge(failure).Action);
        Assert.DoesNotContain("the-secret-word", failure + stream.Log.ToString() + FailurePolicy.Judge(failure), StringComparison.Ordinal);
    }

    /// <summary>db/orders.sql has made its table, and given the role what it needs.</summary>
    [Theory]
    [InlineData("INSERT INTO t_orders (customer_name, restaurant_name, item, amount) VALUES ('a', 'b', 'c', 1)")]
    [InlineData("UPDATE t_orders SET amount = 0")]
    [InlineData("DELETE FROM t_orders")]
    [InlineData("INSERT INTO t_orders_deletes (order_id, deleted_at) VALUES (1, now())")]
    [InlineData("UPDATE t_orders_deletes SET deleted_at = now()")]
    [InlineData("TRUNCATE t_orders_deletes")]
    [InlineData("TRUNCATE t_orders")]
    [InlineData("BEGIN; LOCK TABLE t_orders IN EXCLUSIVE MODE")]
    [InlineData("CREATE TABLE public.mine (id int)")]
    [InlineData("CREATE INDEX ON t_orders (amount)")]
    [InlineData("ALTER TABLE t_orders DISABLE TRIGGER ALL")]
    [InlineData("DROP TABLE t_orders")]
    [InlineData("SELECT * FROM payments")]
    [InlineData("SELECT * FROM others.secrets")]
    [InlineData("SELECT rolpassword FROM pg_authid")]
    [InlineData("SELECT pg_read_file('postgresql.conf')")]
    [InlineData("COPY t_orders TO PROGRAM 'true'")]
    [InlineData("ALTER ROLE orders_stream_test_pipeline SUPERUSER")]
    public async Task the_role_of_the_script_may_not(string statement)
    {
        await using var orders = await TestPipeline.CreateAsync(postgres, kafka);
        await orders.Database.ExecuteAsync("CREATE TABLE payments (id int); CREATE SCHEMA others; CREATE TABLE others.secrets (id int)");
        await using var session = await RoleSessionAsync(orders.Database);
        await session.ExecuteAsync("SELECT * FROM t_orders");

        var refused = await Assert.ThrowsAsync<PostgresException>(() => session.ExecuteAsync(statement));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task the_role_of_the_script_reads_two_tables_and_removes_from_the_one_of_deletes()
    {
        await using var orders = await TestPipeline.CreateAsync(postgres, kafka);
        await orders.Database.ExecuteAsync("CREATE TABLE payments (id int)");

        var rights = await orders.Database.TextRowsAsync(
            $"""
            SELECT c.oid::regclass::text, p
            FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
            WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
              AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND NOT starts_with(c.relnamespace::regnamespace::text, 'pg_toast')
              AND has_table_privilege('{PostgresServer.PipelineRole}', c.oid, p)
            """);
        var attributes = await orders.Database.TextRowsAsync(
            "SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls) FROM pg_roles "
            + $"WHERE rolname = '{PostgresServer.PipelineRole}'");
        var memberships = await orders.Database.TextRowsAsync(
            $"SELECT roleid::regrole::text FROM pg_auth_members WHERE member = '{PostgresServer.PipelineRole}'::regrole");

        Assert.Equal(
            [["t_orders", "SELECT"], ["t_orders_deletes", "DELETE"], ["t_orders_deletes", "SELECT"]],
            rights.OrderBy(r => r[0], StringComparer.Ordinal).ThenBy(r => r[1], StringComparer.Ordinal));
        Assert.Equal([["f f f f f"]], attributes);
        Assert.Equal([["pg_read_all_stats"]], memberships);
    }

    private static async Task<NpgsqlConnection> RoleSessionAsync(TestDatabase database)
    {
        var session = new NpgsqlConnection(new NpgsqlConnectionStringBuilder
        {
            Host = database.Host, Port = database.Port, Database = database.Name, Username = PostgresServer.PipelineRole,
            Password = PostgresServer.RolePassword, Pooling = false,
        }.ConnectionString);
        await session.OpenAsync(TestContext.Current.CancellationToken);
        return session;
    }

    private async Task<TestStream> AsRoleAsync(string role, Func<Configuration.PostgresOptions, Configuration.PostgresOptions> configure) =>
        await TestStream.CreateAsync(postgres, kafka, TestStream.Items + $"GRANT SELECT ON items TO {role};",
            configure: o => o with { Postgres = configure(o.Postgres with { User = role, Password = PostgresServer.RolePassword }) });
}
