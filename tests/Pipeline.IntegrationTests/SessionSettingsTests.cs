using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A session's settings are ours: what is set for role, database or server ends no poll and changes no value.</summary>
public sealed class SessionSettingsTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>What somebody may have set, and what it is for us.</summary>
    public static TheoryData<string, string, string> Settings => new()
    {
        { "statement_timeout", "'40ms'", "0" },
        { "lock_timeout", "'1ms'", "0" },
        { "idle_in_transaction_session_timeout", "'1ms'", "0" },
        { "idle_session_timeout", "'1s'", "0" },
        { "row_security", "on", "off" },
        { "search_path", "evil, pg_catalog", "pg_catalog, pg_temp" },
        { "default_transaction_isolation", "'serializable'", "read committed" },
        { "default_transaction_read_only", "on", "off" },
        { "default_transaction_deferrable", "on", "off" },
        { "client_encoding", "latin1", "UTF8" },
        { "datestyle", "'SQL, DMY'", "ISO, YMD" },
        { "intervalstyle", "sql_standard", "postgres" },
        { "timezone", "'Asia/Kathmandu'", "UTC" },
        { "extra_float_digits", "-15", "1" },
        { "bytea_output", "escape", "hex" },
        { "lc_monetary", "'C.UTF-8'", "C" },
        { "standard_conforming_strings", "off", "on" },
        { "jit", "on", "off" },
    };

    [Theory, MemberData(nameof(Settings))]
    public async Task a_setting_of_the_role_is_not_ours(string name, string theirs, string ours)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        // In this database only: the role is all tests'.
        await database.ExecuteAsync($"ALTER ROLE {PostgresServer.PipelineRole} IN DATABASE {database.Name} SET {name} = {theirs}");

        await using var connection = await SourceConnection.OpenAsync(OptionsOf(database), Cancellation);

        await using var show = new NpgsqlCommand($"SHOW {name}", connection);
        Assert.Equal(ours, await show.ExecuteScalarAsync(Cancellation));
    }

    /// <summary>Without an index each poll reads the table, which takes longer than the role's statements may.</summary>
    [Fact]
    public async Task a_role_with_every_limit_set_captures_all_the_same()
    {
        await using var stream = await AsNastyRoleAsync(Settings.Select(s => (s.Data.Item1, s.Data.Item2)));
        await stream.ExecuteAsync(
            """
            CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
            CREATE TABLE evil.pg_class (oid oid, relname name); GRANT SELECT ON evil.pg_class TO PUBLIC;
            INSERT INTO items SELECT i, 'Ünï \ ''' || i, 1 / 3.0 FROM generate_series(1, 400000) i
            """);
        await stream.DrainAsync();
        await stream.ExecuteAsync("INSERT INTO items VALUES (0, 'new', 0.1)");
        await stream.DrainAsync();
        await stream.StoreAsync();

        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>The server's patience with an idle session ends while another's statement runs: then the lock would be free.</summary>
    [Fact]
    public async Task a_poller_that_is_idle_for_longer_than_the_role_may_be_keeps_its_lock()
    {
        await using var stream = await AsNastyRoleAsync([("idle_session_timeout", "'1s'")]);
        await stream.PollAsync();
        const string pollers = "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity "
            + "WHERE datname = current_database() AND application_name = 'orders-stream'";
        var session = await stream.Database.ScalarAsync<string>(pollers);

        await stream.ExecuteAsync("SELECT pg_sleep(2)");

        Assert.Equal(session, await stream.Database.ScalarAsync<string>(pollers));
        Assert.NotEqual(PollOutcome.StandingBy, (await stream.PollAsync()).Outcome);
        Assert.Equal(session, await stream.Database.ScalarAsync<string>(pollers));
        Assert.DoesNotContain(stream.Log.Lines, l => l.Id == 9002);
    }

    private async Task<TestStream> AsNastyRoleAsync(IEnumerable<(string Name, string Value)> settings)
    {
        var stream = await TestStream.CreateAsync(postgres, kafka,
            "CREATE TABLE items (id bigint PRIMARY KEY, name text, part float8, "
            + "updated_at timestamptz NOT NULL DEFAULT now()); "
            + $"GRANT SELECT ON items TO {PostgresServer.PipelineRole}",
            configure: o => o with { Postgres = AsRole(o.Postgres) });
        foreach (var (name, value) in settings)
            await stream.ExecuteAsync(
                $"ALTER ROLE {PostgresServer.PipelineRole} IN DATABASE {stream.Database.Name} SET {name} = {value}");
        return stream;
    }

    private static PostgresOptions AsRole(PostgresOptions options) =>
        options with { User = PostgresServer.PipelineRole, Password = PostgresServer.RolePassword };

    private static PostgresOptions OptionsOf(TestDatabase database) => AsRole(new PostgresOptions
    {
        Host = database.Host, Port = database.Port, Db = database.Name, User = "", Table = "none",
    });
}
