using OrdersStream.Configuration;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Source;

/// <summary>The source is lost and comes back from a backup: as itself at an earlier moment, or as another system.</summary>
public sealed class RestoredBackupTests(PostgresServer postgres, KafkaServer kafka)
{
    [Fact]
    public async Task a_source_restored_to_an_earlier_moment_is_read_again_and_nothing_that_is_there_is_missed()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_wal_senders", "4"), ("wal_keep_size", "512MB"));
        await using var backup = await ServerCopy.BackUpAsync(server);
        await using var stream = await CapturedAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'not captured yet' FROM generate_series(51, 70) i");
        await stream.ExecuteAsync("SELECT pg_create_restore_point('the good moment')");
        // Captured, and then undone by the restore; their transaction ids are given anew.
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT i, 'undone' FROM generate_series(71, 90) i; "
            + "UPDATE items SET name = 'undone', updated_at = clock_timestamp() WHERE id <= 20");
        await stream.PollAndStoreAsync();
        var data = await stream.Database.ScalarAsync<string>("SELECT current_setting('data_directory')");
        await server.EndAsync();
        await backup.RestoreAsync(data, "the good moment");
        stream.Database.ForgetSessions();
        await stream.RestartAsync();

        for (var id = 101; id <= 120; id++) await stream.ExecuteAsync($"INSERT INTO items (id, name) VALUES ({id}, 'after')");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("UPDATE items SET name = 'later still', updated_at = clock_timestamp() WHERE id % 9 = 0");
        await stream.PollAndStoreAsync();

        Assert.Equal(90, await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items"));
        // What was captured and undone stays in the lake under keys that the table no longer has.
        await stream.NewestShouldEqualTableAsync("id NOT BETWEEN 71 AND 90");
        Assert.Single(
            stream.Log.Warnings,
            w => w.Contains("published twice", StringComparison.Ordinal) && w.Contains("restored", StringComparison.Ordinal));
    }

    /// <summary>The versions that came back have their old times: no overlap reaches so far.</summary>
    [Fact]
    public async Task an_update_that_was_captured_and_is_undone_by_the_restore_is_undone_in_the_lake_however_old_the_row_is()
    {
        await using var server = await PostgresServer.StartOwnAsync(("max_wal_senders", "4"), ("wal_keep_size", "512MB"));
        await using var backup = await ServerCopy.BackUpAsync(server);
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'before', now() - interval '3 days' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("SELECT pg_create_restore_point('the good moment')");
        await stream.ExecuteAsync("UPDATE items SET name = 'undone', updated_at = clock_timestamp() WHERE id <= 5");
        await stream.PollAndStoreAsync();
        var data = await stream.Database.ScalarAsync<string>("SELECT current_setting('data_directory')");
        await server.EndAsync();
        await backup.RestoreAsync(data, "the good moment");
        stream.Database.ForgetSessions();
        await stream.RestartAsync();

        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (51, 'after')");
        await stream.PollAndStoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Single(stream.Log.Warnings, w => w.Contains("gone or older", StringComparison.Ordinal));
    }

    /// <summary>Everything is as it was, but for the system: a process ends, says what to do, and leaves its state alone.</summary>
    [Fact]
    public async Task a_dump_restored_on_another_system_ends_the_process_with_what_to_do()
    {
        var servers = await Task.WhenAll(PostgresServer.StartOwnAsync(), PostgresServer.StartOwnAsync());
        await using var server = servers[0];
        await using var another = servers[1];
        await using var stream = await CapturedAsync(server, kafka);
        await stream.Instance.DisposeAsync();
        await using var restored = await another.CreateDatabaseAsync(stream.Database.Name);
        await restored.ExecuteAsync(TestStream.Items + "INSERT INTO items (id, name) SELECT i, 'before' FROM generate_series(1, 50) i");
        const string Oid = "SELECT 'items'::regclass::oid::text";
        Assert.Equal(await stream.Database.ScalarAsync<string>(Oid), await restored.ScalarAsync<string>(Oid));

        await ShouldEndWithAsync(
            stream, "The position of this stream belongs to",
            o => o with { Postgres = o.Postgres with { Host = restored.Host, Port = restored.Port } });
    }

    [Fact]
    public async Task another_table_under_the_same_name_ends_the_process_with_what_to_do()
    {
        await using var stream = await CapturedAsync(postgres, kafka);
        await stream.Instance.DisposeAsync();
        await stream.ExecuteAsync("DROP TABLE items; " + TestStream.Items + "INSERT INTO items (id) VALUES (1000)");

        await ShouldEndWithAsync(stream, "The position of this stream belongs to");
    }

    /// <summary>A copy has the original's oids, files and transaction ids, but for the database's own.</summary>
    [Fact]
    public async Task a_copy_of_the_database_in_its_place_ends_the_process_with_what_to_do()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await CapturedAsync(server, kafka);
        var name = stream.Database.Name;
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        await using var others = await server.CreateDatabaseAsync();
        stream.Database.ForgetSessions();
        await others.ExecuteAsync($"CREATE DATABASE {name}_copy TEMPLATE {name}");
        await stream.ExecuteAsync("UPDATE items SET name = 'captured', updated_at = clock_timestamp() WHERE id <= 5");
        await stream.RestartAsync();
        await stream.PollAndStoreAsync();
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();
        stream.Database.ForgetSessions();
        await others.ExecuteAsync($"DROP DATABASE {name} WITH (FORCE)");
        await others.ExecuteAsync($"ALTER DATABASE {name}_copy RENAME TO {name}");
        await stream.ExecuteAsync("INSERT INTO items (id) VALUES (51)");

        await ShouldEndWithAsync(stream, "The position of this stream belongs to");
    }

    [Fact]
    public async Task a_topic_made_anew_ends_the_process_with_what_to_do()
    {
        kafka.RequireReal("topics have an id of their own");
        await using var stream = await CapturedAsync(postgres, kafka);
        await stream.Instance.DisposeAsync();
        await kafka.RecreateTopicAsync(stream.Options.Kafka.Topic);

        await ShouldEndWithAsync(stream, "belongs to topic");
    }

    private static async Task<TestStream> CapturedAsync(PostgresServer server, KafkaServer kafka)
    {
        var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, 'before' FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        return stream;
    }

    private static async Task ShouldEndWithAsync(TestStream stream, string remedy, Func<PipelineOptions, PipelineOptions>? configure = null)
    {
        var before = stream.StateFiles();
        using var process = LocalHostProcess.Start(configure?.Invoke(stream.Options) ?? stream.Options, ["run", "--once"]);
        var (exitCode, output) = await process.EndAsync();

        Assert.Equal(1, exitCode);
        Assert.Contains(remedy, output, StringComparison.Ordinal);
        Assert.Equal(before, stream.StateFiles());
    }
}
