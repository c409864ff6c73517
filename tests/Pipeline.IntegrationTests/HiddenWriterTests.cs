using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Invariant 1 where the writer is no ordinary session, or does not show when its transaction began.</summary>
public sealed class HiddenWriterTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_writer_in_a_replication_session_is_not_missed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("wal_level", "replica"), ("max_wal_senders", "2"));
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await using var writer = await ReplicationSession.OpenAsync(stream.Database);
        await writer.ExecuteAsync("BEGIN");
        await writer.ExecuteAsync("INSERT INTO items (id) SELECT generate_series(1001, 1050)");
        for (var id = 2; id <= 3; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
        }
        Assert.Equal("walsender", (await ReadStatusAsync(stream)).Source.HiddenTransaction?.Application);
        await writer.ExecuteAsync("COMMIT");

        Assert.Equal(50, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>It keeps the state that says so, whatever it does afterwards.</summary>
    [Fact]
    public async Task a_writer_in_a_session_that_took_a_base_backup_before_is_not_missed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("wal_level", "replica"), ("max_wal_senders", "2"));
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await using var writer = await ReplicationSession.OpenAsync(stream.Database);
        await writer.ExecuteAsync("BASE_BACKUP (LABEL 'one', CHECKPOINT 'fast', WAIT false)");
        await writer.ExecuteAsync("BEGIN");
        await writer.ExecuteAsync("INSERT INTO items (id) VALUES (1001)");
        Assert.Equal("backup", await stream.Database.ScalarAsync<string>("SELECT state FROM pg_stat_get_wal_senders()"));
        for (var id = 2; id <= 3; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
        }
        await writer.ExecuteAsync("COMMIT");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Off from the beginning; off in mid-transaction; on again in it; off, and nothing written yet.</summary>
    public static TheoryData<string, string> HiddenSessions => new()
    {
        { "SET track_activities = off; BEGIN", "INSERT INTO items (id) VALUES (1000)" },
        { "BEGIN", "INSERT INTO items (id) VALUES (1000); SET track_activities = off" },
        {
            "SET track_activities = off; BEGIN",
            "INSERT INTO items (id) VALUES (1000); SET track_activities = on"
        },
        { "SET track_activities = off; BEGIN; SELECT now()", "SELECT 1" },
    };

    [Theory, MemberData(nameof(HiddenSessions))]
    public async Task a_session_that_does_not_show_when_its_transaction_began_is_not_missed(string begin, string write)
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await using var hidden = await stream.Database.OpenSessionAsync();
        await hidden.ExecuteAsync(begin);
        await hidden.ExecuteAsync(write);
        for (var id = 2; id <= 4; id++)
        {
            await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
            Assert.Equal(1, (await stream.PollAsync()).Rows);
        }
        await hidden.ExecuteAsync("INSERT INTO items (id) VALUES (1001); COMMIT");

        Assert.InRange((await stream.PollAsync()).Rows, 1, 2);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_hidden_session_is_named_while_it_is_in_a_transaction_and_the_bound_stands_still_so_long()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await using var hidden = await stream.Database.OpenSessionAsync();
        await hidden.ExecuteAsync("SET track_activities = off; SET application_name = 'secretive'");
        var idle = await PolledAsync(stream, 1);
        Assert.Null(idle.Source.HiddenTransaction);
        await hidden.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        var open = await PolledAsync(stream, 2);
        var (still, named) = (await PolledAsync(stream, 3), open.Source.HiddenTransaction!);
        Assert.Equal(("hidden", hidden.ProcessID, "secretive"), (named.Kind, named.Pid, named.Application));
        Assert.Equal(
            [idle.Capture!.NextFrom, idle.Capture.NextFrom], new[] { open.Capture!.NextFrom, still.Capture!.NextFrom });
        await hidden.ExecuteAsync("COMMIT");
        var over = await PolledAsync(stream, 4);
        Assert.Null(over.Source.HiddenTransaction);
        Assert.True(over.Capture!.NextFrom > still.Capture.NextFrom);
    }

    [Fact]
    public async Task a_role_that_may_no_longer_see_others_sessions_takes_them_for_hidden()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        var ddl = $"{TestStream.Items} GRANT SELECT ON items TO {PostgresServer.PipelineRole};";
        await using var stream = await TestStream.CreateAsync(
            server, kafka, ddl, configure: o => o with { Postgres = o.Postgres with { User = PostgresServer.PipelineRole } });
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (1)");
        await stream.PollAsync();
        await using var late = await stream.Database.OpenSessionAsync();
        await late.ExecuteAsync("BEGIN; INSERT INTO items (id) VALUES (1000)");
        await stream.ExecuteAsync($"REVOKE pg_read_all_stats FROM {PostgresServer.PipelineRole}; INSERT INTO items (id) VALUES (2)");
        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await late.ExecuteAsync("COMMIT");

        Assert.Equal(1, (await stream.PollAsync()).Rows);
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>It decodes all the time, in transactions that show no beginning: the bound would never move.</summary>
    [Fact]
    public async Task a_session_that_streams_changes_holds_nothing_back()
    {
        await using var server = await PostgresServer.StartOwnAsync(
            ("wal_level", "logical"), ("max_wal_senders", "2"), ("wal_sender_timeout", "0"));
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("CREATE TABLE other (t text); CREATE PUBLICATION p FOR TABLE other");
        await using var subscriber = await ReplicationSession.OpenAsync(stream.Database);
        await subscriber.ExecuteAsync("CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT");
        await subscriber.StreamAsync("START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')");
        // More than the socket takes of what nobody reads: it stands in the midst of a transaction.
        await stream.ExecuteAsync("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 20000)");
        await stream.Database.UntilAsync(
            "the walsender decodes",
            "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_replication r USING (pid) WHERE l.locktype = 'virtualxid')");

        var before = await stream.Database.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        var status = await PolledAsync(stream, 1);

        Assert.Equal((null, null), (status.Source.OldestTransaction, status.Source.HiddenTransaction));
        Assert.True(status.Capture!.NextFrom > before);
    }

    /// <summary>A row, a poll, and what is told behind it.</summary>
    private static async Task<PipelineStatus> PolledAsync(TestStream stream, int id)
    {
        await stream.ExecuteAsync($"INSERT INTO items (id) VALUES ({id})");
        await stream.PollAsync();
        return await ReadStatusAsync(stream);
    }

    private static async Task<PipelineStatus> ReadStatusAsync(TestStream stream)
    {
        await using var run = stream.NewRun();
        return await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
    }
}
