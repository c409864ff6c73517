using System.Diagnostics;
using System.Text.Json;
using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Doctor;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests.Doctor;

/// <summary>What is wrong with a stream is found before it goes live, and the remedy mends it: the same check finds it good.</summary>
public sealed class StreamCheckTests(PostgresServer postgres, KafkaServer kafka) : IDisposable
{
    private const string Touch =
        """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.updated_at := pg_catalog.clock_timestamp(); RETURN NEW; END';
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
        ALTER TABLE items ENABLE ALWAYS TRIGGER touch;
        """;

    private const string Table = "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL);";
    private const string Index = "CREATE INDEX ON items (updated_at, id);";
    private const string Grants = $"GRANT SELECT ON items TO {PostgresServer.PipelineRole};";
    private const string Good = Table + Index + Touch + Grants + Deletes;
    private const string Deletes = TestStream.Deletes + $"GRANT SELECT, DELETE ON items_deletes TO {PostgresServer.PipelineRole};";

    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task a_stream_that_lacks_nothing_is_ready_before_its_first_row_and_after()
    {
        await using var stream = await CreateAsync(Good);

        var before = await CheckAsync(stream);
        Assert.Equal(Readiness.Ready, before.Verdict);
        // Of the stream; the machine of the tests may lack things.
        Assert.DoesNotContain(before.Findings, f => f is { Grade: Grade.Warning, Subject: not "durability" } && !IsOfFolders(f));
        Assert.Contains(before.Findings, f => f.Subject == "topic" && f.Says.Contains("is made at the first start with 4 partitions"));
        Assert.Contains(before.Findings, f => f.Subject == "lake owner" && f.Says.Contains("is new"));
        // Nothing was made: not the topic, not a folder.
        Assert.Empty(stream.StateFiles());
        Assert.False(Directory.Exists(stream.Options.Datalake.Path));

        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(1, 10)");
        await stream.PollAndStoreAsync();
        var files = stream.StateFiles();
        var after = await CheckAsync(stream);
        Assert.Equal(Readiness.Ready, after.Verdict);
        Assert.Contains(after.Findings, f => f.Subject == "topic rights" && f.Grade == Grade.Good);
        Assert.Contains(after.Findings, f => f.Subject == "lake owner" && f.Says == "the lake is this stream's");
        Assert.Contains(after.Findings, f => f.Subject == "poller" && f.Says.Contains("captures the table now"));
        Assert.Equal(files, stream.StateFiles());
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>The remedy is a statement, which is followed to its end.</summary>
    [Theory]
    [InlineData(Table + Touch + Grants, "index", Grade.Warning, "so every poll reads the whole table")]
    [InlineData(Table + Index + Touch, "privileges", Grade.Failure, "permission")]
    [InlineData(Good + "ALTER TABLE items SET UNLOGGED;", "table", Grade.Warning, "a crash of the server empties it")]
    [InlineData(
        "CREATE TABLE items (id bigint PRIMARY KEY, updated_at timestamptz);" + Index + Touch + Grants, "time", Grade.Warning,
        "may be NULL")]
    [InlineData(
        Good + "CREATE TABLE child () INHERITS (items);", "index", Grade.Warning, "\"public\".\"child\" has no index that a poll can use")]
    public async Task what_a_table_lacks_is_found_and_the_remedy_mends_it(string ddl, string subject, Grade grade, string says)
    {
        await using var stream = await CreateAsync(ddl);

        var found = await CheckAsync(stream);
        var finding = Assert.Single(found.Findings, f => f.Subject == subject && f.Grade != Grade.Good);
        Assert.Equal(grade, finding.Grade);
        Assert.Contains(says, finding.Says);
        Assert.Equal(grade == Grade.Failure ? Readiness.NotReady : Readiness.Ready, found.Verdict);

        await stream.ExecuteAsync(finding.Remedy!);
        Assert.DoesNotContain((await CheckAsync(stream)).Findings, f => f.Subject == subject && f.Grade != Grade.Good);
    }

    [Theory]
    [InlineData(Table + Index + Grants, "no trigger sets updated_at from the clock")]
    [InlineData(Good + "ALTER TABLE items DISABLE TRIGGER touch;", "since it is disabled")]
    public async Task a_trigger_is_judged_by_what_it_does(string ddl, string says)
    {
        await using var stream = await CreateAsync(ddl);
        var finding = Assert.Single((await CheckAsync(stream)).Findings, f => f.Subject == "trigger");
        Assert.Equal(Grade.Warning, finding.Grade);
        Assert.Contains(says, finding.Says);
    }

    /// <summary>Storing would stop at the first row, when all are in the topic.</summary>
    [Theory]
    [InlineData("date", null, "datalake.partition_by is 'date', but the table has no such column", "datalake.folder_name: date")]
    [InlineData("ID", null, "datalake.partition_by is 'ID', but the table has no such column", "There is id: capitals")]
    [InlineData("id", "updated_at", "The table has a column updated_at, and folders of the lake are named updated_at=", "folder_name")]
    [InlineData("id", "id", "The table has a column id, and folders of the lake are named id=", "folder_name")]
    public async Task folders_that_storing_would_refuse_are_found_and_no_row_is_published(
        string partitionBy, string? folderName, string says, string remedy)
    {
        await using var stream = await CreateAsync(Good);
        var options = stream.Options with
        {
            Datalake = stream.Options.Datalake with { PartitionBy = partitionBy, FolderName = folderName },
        };
        var report = await CheckAsync(stream, options);
        Assert.Equal(Readiness.NotReady, report.Verdict);
        var finding = Assert.Single(report.Findings, f => f.Subject == "folders");
        Assert.Contains(says, finding.Says);
        Assert.Contains(remedy, finding.Remedy);
        Assert.Contains((await CheckAsync(stream)).Findings, f => f is { Subject: "folders", Grade: Grade.Good });

        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(1, 10)");
        var capture = stream.NewInstance(options);
        var refused = await Assert.ThrowsAsync<PipelineException>(capture.PollAsync);
        Assert.Contains(says, refused.Problem);
        // What it would have made is not there.
        Assert.Empty(stream.StateFiles());
        Assert.False(Directory.Exists(options.Datalake.Path));
    }

    [Fact]
    public async Task a_table_without_one_of_deletes_is_told_where_nothing_else_tells_of_them()
    {
        await using var stream = await CreateAsync(Table + Index + Touch + Grants);
        var report = await CheckAsync(stream);
        Assert.Equal(Readiness.Ready, report.Verdict);
        var finding = Assert.Single(report.Findings, f => f.Subject == "deletes");
        Assert.Equal(Grade.Warning, finding.Grade);
        Assert.Contains("there is no table \"public\".\"items_deletes\", so deletes are not captured", finding.Says);
        Assert.Contains("'init --sql'", finding.Remedy);
        var source = stream.Options.Postgres;
        foreach (var other in (PostgresOptions[])[
            source with { Deletes = "off" }, source with { Deletes = "audit" }, source with { DeletedWhen = "id < 0" }])
            Assert.DoesNotContain(
                (await CheckAsync(stream, stream.Options with { Postgres = other })).Findings, f => f.Subject == "deletes");

        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(1, 10)");
        await stream.PollAsync();
        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(11, 20)");
        await stream.PollAsync();
        Assert.Single(stream.Log.Warnings, w => w.Contains("so deletes are not captured", StringComparison.Ordinal));
    }

    [Fact]
    public async Task what_a_role_is_set_to_is_told_and_what_limits_it_is_warned_of()
    {
        await using var stream = await CreateAsync(Good);
        await stream.ExecuteAsync(
            $"ALTER ROLE {PostgresServer.PipelineRole} IN DATABASE {stream.Database.Name} SET statement_timeout = '7s'");
        var findings = (await CheckAsync(stream)).Findings;
        Assert.Contains(findings, f => f.Subject == "role settings" && f.Says.Contains("statement_timeout=7s"));
        Assert.DoesNotContain(findings, f => f.Subject == "role");
    }

    [Fact]
    public async Task a_topic_that_would_lose_rows_is_found_and_the_remedy_mends_it()
    {
        await using var stream = await CreateAsync(Good);
        await kafka.CreateTopicAsync(stream.Options.Kafka.Topic, ("cleanup.policy", "compact"));
        var found = await CheckAsync(stream);
        var finding = Assert.Single(found.Findings, f => f.Subject == "topic settings" && f.Grade == Grade.Failure);
        Assert.Contains("is compacted", finding.Says);
        Assert.Equal(Readiness.NotReady, found.Verdict);
        await kafka.FollowAsync(stream.Options.Kafka.Topic, finding.Remedy!);
        Assert.Equal(Readiness.Ready, (await CheckAsync(stream)).Verdict);
    }

    /// <summary>Storing would stop with the same words.</summary>
    [Fact]
    public async Task records_that_retention_took_before_they_were_stored_are_found()
    {
        kafka.RequireReal("records are deleted");
        await using var stream = await CreateAsync(Good);
        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(1, 40)");
        await stream.PollAndStoreAsync();
        Assert.Contains((await CheckAsync(stream)).Findings, f => f is { Subject: "lake position", Grade: Grade.Good });

        await stream.ExecuteAsync("INSERT INTO items SELECT generate_series(41, 80)");
        await stream.PollAsync();
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = stream.Options.Kafka.Brokers }).Build();
        await admin.DeleteRecordsAsync([.. Enumerable.Range(0, stream.Options.Kafka.Partitions)
            .Select(p => new TopicPartitionOffset(stream.Options.Kafka.Topic, p, Offset.End))]);

        var report = await CheckAsync(stream);
        Assert.Equal(Readiness.NotReady, report.Verdict);
        var finding = Assert.Single(report.Findings, f => f.Subject == "lake position");
        Assert.Contains("Kafka no longer has", finding.Says);
    }

    /// <summary>Brokers do not show it to a user who may not describe it: as if it were to be made.</summary>
    [Fact]
    public async Task a_topic_that_is_there_and_is_not_shown_is_not_said_to_be_made()
    {
        kafka.RequireReal("a topic is asked for twice");
        await using var stream = await CreateAsync(Good);
        var admin = new TopicAdmin(stream.Options);
        await admin.TryCreationAsync(Token);
        await admin.EnsureAsync(Token);
        var hidden = await Assert.ThrowsAsync<PipelineException>(() => admin.TryCreationAsync(Token));
        Assert.Equal(
            (FailureAction.Stop, $"Topic '{stream.Options.Kafka.Topic}' is there, and this user may not describe it."),
            (hidden.Action, hidden.Problem));
    }

    [Fact]
    public async Task a_topic_that_the_brokers_would_not_make_is_found()
    {
        await using var stream = await CreateAsync(Good);
        var options = stream.Options with { Kafka = stream.Options.Kafka with { ReplicationFactor = 3 } };
        var finding = Assert.Single((await CheckAsync(stream, options)).Findings, f => f.Subject == "topic");
        Assert.Equal((Grade.Failure, "kafka.replication_factor: 1"), (finding.Grade, finding.Remedy));
    }

    [Fact]
    public async Task a_name_that_a_broker_advertises_and_that_leads_nowhere_is_found()
    {
        await using var stream = await CreateAsync(Good);
        var findings = new FindingList();
        await new TopicCheck(stream.Options, new(stream.Options), findings).ConnectAsync("no-such-host.invalid:9092", Token);
        await new TopicCheck(stream.Options, new(stream.Options), findings).ConnectAsync("127.0.0.1:1", Token);
        Assert.All(findings.All, f => Assert.Equal(Grade.Failure, f.Grade));
        Assert.Contains(
            "a broker advertises itself as 127.0.0.1:1, and that cannot be reached from here (ConnectionRefused)", findings.All[1].Says);
    }

    [Fact]
    public async Task anothers_lake_and_anothers_position_are_found()
    {
        await using var other = await CreateAsync(Good);
        await other.ExecuteAsync("INSERT INTO items VALUES (1)");
        await other.PollAndStoreAsync();
        await using var stream = await CreateAsync(Good);
        await stream.ExecuteAsync("INSERT INTO items VALUES (1)");
        await stream.PollAsync();
        var options = stream.Options with
        {
            Datalake = other.Options.Datalake,
            Streaming = stream.Options.Streaming with
            {
                LastProcessedTimestampLocation = other.Options.Streaming.LastProcessedTimestampLocation,
            },
        };
        var found = await CheckAsync(stream, options);
        Assert.Equal(Readiness.NotReady, found.Verdict);
        Assert.Contains(
            found.Findings, f => f is { Subject: "lake owner", Grade: Grade.Failure } && f.Says.Contains("belongs to another stream"));
        Assert.Contains(found.Findings, f => f is { Subject: "position", Grade: Grade.Failure } && f.Says.Contains("belongs to"));
    }

    /// <summary>Before anything ran: the topic is made by the first one who captures.</summary>
    [Theory, InlineData(true), InlineData(false)]
    public async Task anothers_lake_is_found_before_the_topic_is_made(bool hasOwnerFile)
    {
        await using var other = await CreateAsync(Good);
        await other.ExecuteAsync("INSERT INTO items VALUES (1)");
        await other.PollAndStoreAsync();
        if (!hasOwnerFile) File.Delete(Path.Combine(other.Options.Datalake.Path, LakeOwner.FileName));
        await using var stream = await CreateAsync(Good);
        var found = await CheckAsync(stream, stream.Options with { Datalake = other.Options.Datalake });
        Assert.Equal(Readiness.NotReady, found.Verdict);
        var owner = Assert.Single(found.Findings, f => f.Subject == "lake owner");
        Assert.Equal(Grade.Failure, owner.Grade);
        Assert.Contains($"belongs to another stream, '{other.Options.Kafka.Topic}'", owner.Says);
    }

    [Fact]
    public async Task clocks_that_differ_are_found()
    {
        await using var stream = await CreateAsync(Good);
        var time = new ShiftedTime();
        time.Shift(TimeSpan.FromMinutes(5));
        await using var run = stream.NewRun(time: time);
        var found = await run.Stream.CheckAsync(null, Token);
        var finding = Assert.Single(found.Findings, f => f.Subject == "clocks");
        Assert.Equal(Grade.Warning, finding.Grade);
        Assert.Contains("s behind this machine's", finding.Says);
    }

    [Theory]
    [InlineData(
        "\"commitOnFailure\": false", "\"commitOnFailure\": true", "extensions.kafka.commitOnFailure", "\"commitOnFailure\": false")]
    [InlineData("\"maxRetries\": -1", "\"maxRetries\": 5", "extensions.kafka.maxRetries", "\"maxRetries\": -1")]
    [InlineData(
        "\"functionTimeout\": \"01:30:00\"", "\"functionTimeout\": \"00:05:00\"", "functionTimeout",
        "\"functionTimeout\": \"01:30:00\"")]
    [InlineData("\"version\"", "version", "cannot be read as JSON", "correct it, or leave --host-file out")]
    public void a_host_file_that_would_lose_a_batch_is_found_and_the_shipped_one_is_good(
        string shipped, string altered, string says, string remedy)
    {
        var file = File.ReadAllText(Repository.PathOf("FunctionApp/host.json"));
        Assert.Contains(shipped, file);
        File.WriteAllText(folder.PathOf("host.json"), file.Replace(shipped, altered));
        var findings = new FindingList();
        new HostFileCheck(findings).Run(folder.PathOf("host.json"));
        var finding = Assert.Single(findings.All);
        Assert.Equal((Grade.Failure, remedy), (finding.Grade, finding.Remedy));
        Assert.Contains(says, finding.Says);

        foreach (var timeout in (string[])["\"01:30:00\"", "\"-1\""])
        {
            var good = new FindingList();
            File.WriteAllText(
                folder.PathOf("host.json"),
                File.ReadAllText(Repository.PathOf("FunctionApp/host.json")).Replace("\"01:30:00\"", timeout));
            new HostFileCheck(good).Run(folder.PathOf("host.json"));
            Assert.Equal(Grade.Good, Assert.Single(good.All).Grade);
        }
    }

    /// <summary>The real program, by both of its names.</summary>
    [Fact]
    public async Task the_verb_tells_its_verdict_by_its_exit_code()
    {
        await using var stream = await CreateAsync(Good);
        var ready = await RunAsync(stream.Options, "check", "--json");
        Assert.True(ready.ExitCode == 0, ready.Output + ready.Error);
        using var document = JsonDocument.Parse(ready.Output);
        Assert.Equal("ready", document.RootElement.GetProperty("verdict").GetString());
        Assert.All(document.RootElement.GetProperty("findings").EnumerateArray(), f => Assert.All(
            ["subject", "grade", "says", "remedy"], name => Assert.True(f.TryGetProperty(name, out _))));

        var away = stream.Options with
        {
            Postgres = stream.Options.Postgres with { Host = "127.0.0.1", Port = 1 },
        };
        var notReady = await RunAsync(away, "doctor");
        Assert.Equal(1, notReady.ExitCode);
        Assert.Contains("FAIL postgres            Postgres cannot be reached (ConnectionRefused, at 127.0.0.1:1).", notReady.Output);
        Assert.Contains("-> Check postgres.host and postgres.port, and that the server runs.", notReady.Output);
        Assert.Contains("?    table               table, trigger, index and rights were not looked at", notReady.Output);
        Assert.Contains("NOT READY: 1 of the above would stop the stream or lose rows", notReady.Output);
        Assert.DoesNotContain(PostgresServer.RolePassword, notReady.Output);
    }

    private static bool IsOfFolders(Finding f) => f.Subject == "file systems" || f.Subject.EndsWith("folder");

    private Task<TestStream> CreateAsync(string ddl) => TestStream.CreateAsync(
        postgres, kafka, database => database.ExecuteAsync(ddl), (database, path) =>
        {
            var options = StreamOptions.For(database.LoginOf(PostgresServer.PipelineRole), "items", kafka, "check-", path);
            return options with { Datalake = options.Datalake with { PartitionBy = "none" } };
        });

    private static async Task<CheckReport> CheckAsync(TestStream stream, PipelineOptions? options = null)
    {
        await using var run = stream.NewRun(_ => options ?? stream.Options);
        return await run.Stream.CheckAsync(null, Token);
    }

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(
        PipelineOptions options, string verb, params string[] arguments)
    {
        var configuration = folder.PathOf("configuration.yml");
        await File.WriteAllTextAsync(configuration, ConfigurationLoader.Print(options), Token);
        var start = new ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "orders-stream.dll"), verb, "--config", configuration, .. arguments])
        {
            WorkingDirectory = folder.Path,
        };
        start.Environment["Postgres__Password"] = options.Postgres.Password;
        using var program = new RunningProgram(start);
        return await program.EndApartAsync();
    }
}
