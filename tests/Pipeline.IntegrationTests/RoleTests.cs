using OrdersStream.Diagnostics;
using OrdersStream.IntegrationTests.Servers;

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
        await late.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000); INSERT INTO items (id, updated_at) VALUES (1001, now() - interval '500 s')");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await late.ExecuteAsync("COMMIT");

        Assert.Equal(2, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("GRANT pg_read_all_stats", StringComparison.Ordinal) && w.Contains("600 s", StringComparison.Ordinal));
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
        await using var stream = await AsRoleAsync(PostgresServer.PipelineRole, o => o with { User = "nobody_of_this_name", Password = "the-secret-word" });

        var failure = await Assert.ThrowsAnyAsync<Exception>(stream.PollAsync);

        Assert.Equal(FailureAction.Stop, FailurePolicy.Judge(failure).Action);
        Assert.DoesNotContain("the-secret-word", failure + stream.Log.ToString() + FailurePolicy.Judge(failure), StringComparison.Ordinal);
    }

    private async Task<TestStream> AsRoleAsync(string role, Func<Configuration.PostgresOptions, Configuration.PostgresOptions> configure) =>
        await TestStream.CreateAsync(postgres, kafka, TestStream.Items + $"GRANT SELECT ON items TO {role};",
            configure: o => o with { Postgres = configure(o.Postgres with { User = role, Password = PostgresServer.RolePassword }) });
}
