using Npgsql;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>A row that a policy hides is there all the same: nothing is captured, and nothing agreed with, until all are seen.</summary>
public sealed class RowSecurityTests(PostgresServer postgres, KafkaServer kafka) : IAsyncLifetime
{
    private const string Hide = "CREATE POLICY seen ON items USING (id <= 10); ALTER TABLE items ENABLE ROW LEVEL SECURITY";
    private const string ABypass = "ALTER ROLE {0} BYPASSRLS", AnEnd = "ALTER TABLE items DISABLE ROW LEVEL SECURITY";

    /// <summary>What a role may is the whole server's: each test has one of its own.</summary>
    private readonly string role = UniqueName.Of("test_role_");

    private TestStream stream = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        stream = await TestStream.CreateAsync(postgres, kafka,
            $"CREATE ROLE {role} LOGIN PASSWORD '{PostgresServer.RolePassword}'; GRANT pg_read_all_stats TO {role}; "
            + TestStream.Items + $"GRANT SELECT ON items TO {role}",
            configure: o => o with { Postgres = o.Postgres with { User = role, Password = PostgresServer.RolePassword } });
        await stream.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1, 20)");
    }

    public async ValueTask DisposeAsync()
    {
        await stream.ExecuteAsync($"DROP OWNED BY {role}; DROP ROLE {role}");
        await stream.DisposeAsync();
    }

    [Theory, InlineData(ABypass), InlineData(AnEnd)]
    public async Task a_policy_stops_capture_until_the_remedy_is_followed(string remedy)
    {
        await stream.ExecuteAsync(Hide);

        var stop = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.All(["\"public\".\"items\"", role], named => Assert.Contains(named, stop.Problem, StringComparison.Ordinal));
        Assert.Contains(
            remedy == AnEnd ? "DISABLE ROW LEVEL SECURITY" : $"ALTER ROLE \"{role}\" BYPASSRLS", stop.Remedy, StringComparison.Ordinal);
        Assert.Empty(stream.Dump().Records);
        // The server ends a session a moment after it was closed.
        await stream.UntilNobodyPollsAsync();
        await stream.ExecuteAsync(string.Format(remedy, role));
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Theory, InlineData(ABypass), InlineData(AnEnd)]
    public async Task a_policy_that_is_made_while_rows_are_captured_stops_capture_and_no_row_is_missed(string remedy)
    {
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(Hide + "; UPDATE items SET name = 'new', updated_at = clock_timestamp()");

        Assert.Equal(FailureAction.Stop, (await Assert.ThrowsAsync<PipelineException>(stream.PollAsync)).Action);

        await stream.UntilNobodyPollsAsync();
        await stream.ExecuteAsync(string.Format(remedy, role));
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Between the look at the catalogue and a statement, too.</summary>
    [Fact]
    public async Task a_statement_that_a_policy_would_hide_rows_from_is_refused()
    {
        await stream.ExecuteAsync(Hide);
        await using var connection = await SourceConnection.OpenAsync(stream.Options.Postgres, Cancellation);
        await using var command = new NpgsqlCommand("SELECT count(*) FROM public.items", connection);

        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteScalarAsync(Cancellation));

        var verdict = FailurePolicy.Judge(refused);
        Assert.Equal(FailureAction.Stop, verdict.Action);
        Assert.Contains("\"items\"", verdict.Problem, StringComparison.Ordinal);
        Assert.Contains("BYPASSRLS", verdict.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task verify_does_not_agree_with_a_table_of_which_it_sees_a_part()
    {
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(Hide);
        var comparison = new LakeComparison(
            stream.Options, new TopicAdmin(stream.Options), new TopicReader(stream.Options), place => new LakeFolder(place),
            TimeProvider.System);

        var stop = await Assert.ThrowsAsync<PipelineException>(() => comparison.CompareAsync(Cancellation));

        Assert.Equal(FailureAction.Stop, stop.Action);
        Assert.Contains("BYPASSRLS", stop.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PARTITION OF parts FOR VALUES FROM (0) TO (1000)", " PARTITION BY RANGE (id)"), InlineData("() INHERITS (parts)", "")]
    public async Task policies_and_grants_of_children_hide_nothing_that_is_read_through_the_table(string child, string of)
    {
        await stream.ExecuteAsync(
            $"""
            CREATE TABLE parts (id bigint PRIMARY KEY, name text, updated_at timestamptz NOT NULL DEFAULT now()){of};
            CREATE TABLE part {child};
            GRANT SELECT ON parts TO {role};
            CREATE POLICY nobody ON part USING (false);
            ALTER TABLE part ENABLE ROW LEVEL SECURITY;
            ALTER TABLE part FORCE ROW LEVEL SECURITY;
            INSERT INTO part (id) SELECT generate_series(1, 20)
            """);
        await stream.RestartAsync(o => o with { Postgres = o.Postgres with { Table = "parts" } });

        Assert.Equal(20, (await stream.PollAsync()).Rows);
        await stream.ExecuteAsync("UPDATE parts SET name = 'new', updated_at = clock_timestamp() WHERE id > 5");
        Assert.Equal(15, (await stream.PollAsync()).Rows);
    }
}
