using System.Collections.Immutable;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

using LakeReader = OrdersStream.Lake.LakeReader;

namespace OrdersStream.IntegrationTests.Audit;

/// <summary>Rows that windows do not see are published again by request, and the running pipeline asks by itself.</summary>
public sealed class RepairTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>No trigger: clients say what time it is, and say that it is a year ago.</summary>
    [Fact]
    public async Task rows_that_were_dated_back_are_found_and_mended_by_the_running_loop_alone()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: Audited);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 300) i");
        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await stream.UntilStoredAsync(300, running);

        await stream.ExecuteAsync("UPDATE items SET name = 'Zq7xWv', updated_at = now() - interval '1 year' WHERE id <= 40");
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'late', now() - interval '1 year' FROM generate_series(301, 320) i");
        await MendedAsync(requested => requested == 60);
        await stream.NewestShouldEqualTableAsync();

        // And what somebody removed from the lake.
        RemoveOneFile(stream);
        await MendedAsync(requested => requested > 60);
        await stop.CancelAsync();
        await running;

        await stream.NewestShouldEqualTableAsync();
        Assert.Contains(stream.Log.Warnings, w => w.Contains("no trigger sets the ordering column", StringComparison.Ordinal));
        // It says nothing of what it lacks.
        Assert.DoesNotContain("Zq7xWv", stream.Log.ToString(), StringComparison.Ordinal);

        Task MendedAsync(Func<long, bool> isAll) => AuditRounds.UntilAsync(
            stream, running, 30, (state, last) => last is { Rows: 320, Differences: 0 } && isAll(state.RequestedInAll));
    }

    [Fact]
    public async Task a_request_for_the_whole_table_is_done_in_turns_and_a_dead_poller_does_it_again()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Postgres = o.Postgres with { PageBytes = 4096 } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, repeat('x', 100) FROM generate_series(1, 300) i");
        await stream.DrainAsync();
        await stream.StoreAsync();
        var before = new WatermarkFile(stream.Options).Read()!;
        var requests = new RepairRequests(stream.Options, CrashPoints.None);
        requests.Add(new RepairRequest("the test", new RowSelection(), ""), DateTimeOffset.UnixEpoch);

        var pages = 0;
        stream.OnReached = point =>
        {
            if (point == CrashPoint.RequestRemoved) throw new IOException("crash");
            if (point == CrashPoint.PageCommitted && ++pages == 3) throw new IOException("crash");
        };
        // The third page is out, and nobody knows.
        await Assert.ThrowsAsync<IOException>(PollsAsync);
        Assert.Single(requests.Waiting());
        // All is out, and the request is gone, and nobody knows.
        await stream.UntilNobodyPollsAsync();
        await Assert.ThrowsAsync<IOException>(PollsAsync);
        stream.OnReached = null;
        await stream.UntilNobodyPollsAsync();
        Assert.Equal((PollOutcome.Idle, 0), ((await stream.PollAsync()).Outcome, requests.Waiting().Count));
        await stream.StoreAsync();

        var after = new WatermarkFile(stream.Options).Read()!;
        // Others commit on the same server: it may have gone on, and never back.
        Assert.True(after.Horizon!.Xmin >= before.Horizon!.Xmin && after.WindowNumber >= before.WindowNumber);
        await stream.NewestShouldEqualTableAsync();
        Assert.True(stream.Lake.Count() > 600, $"{stream.Lake.Count()} row versions");
        Assert.Empty(stream.Lake.QuarantineLines);

        // As many turns as it takes.
        async Task PollsAsync()
        {
            for (var turn = 0; turn < 100; turn++) await stream.PollAsync();
        }
    }

    /// <summary>What a page of a later number has is never older.</summary>
    [Fact]
    public async Task a_repair_between_windows_never_hides_what_comes_after_it()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'old' FROM generate_series(1, 20) i");
        await stream.PollAndStoreAsync();
        new RepairRequests(stream.Options, CrashPoints.None).Add(
            new RepairRequest("the test", new RowSelection { FirstKey = ["5"], LastKey = ["14"] }, await OrderAsync(stream)),
            DateTimeOffset.UnixEpoch);
        await stream.ExecuteAsync("UPDATE items SET name = 'new', updated_at = clock_timestamp() WHERE id <= 10");
        await stream.ExecuteAsync("DELETE FROM items WHERE id = 14");

        var poll = await stream.PollAsync();
        await stream.StoreAsync();
        // Those that were changed come with the window, once.
        Assert.Equal((3, 10), (poll.RepairedRows, poll.Rows));
        Assert.Equal(33, stream.Lake.Count());
        await stream.NewestShouldEqualTableAsync("id <> 14");
    }

    [Fact]
    public async Task the_verb_mends_and_says_so_where_nobody_could()
    {
        // Of one's own: other tests' open transactions would hold horizons back, behind which what is missing is on the way.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 30) i");
        await using (var run = stream.NewRun()) await run.OnceAsync(null, Token);
        // A file that is not of the newest commit: without that storing does not begin.
        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp() WHERE id <= 15");
        await using (var run = stream.NewRun()) await run.OnceAsync(null, Token);
        await stream.UntilNobodyPollsAsync();
        RemoveOneFile(stream);
        var left = stream.Lake.Count();

        // What a round of the audit found before.
        var file = new AuditStateFile(stream.Options, CrashPoints.None);
        file.Write(new AuditState(new(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, 30, 20, 0, 10, 0, 0, 0, 0, 0), 7));

        Assert.Equal(2, await RepairAsync(isDry: false, once: false));
        Assert.Equal(1, await RepairAsync(isDry: true, once: false));
        Assert.Equal(left, stream.Lake.Count());
        Assert.Equal(0, await RepairAsync(isDry: false, once: true));
        var mended = stream.Lake.Count();
        Assert.True(mended > left, $"{mended} row versions, and {left} were left");
        await stream.NewestShouldEqualTableAsync();
        var (found, requested) = (file.Read()!.Last!, file.Read()!.RequestedInAll);
        Assert.Equal((30, 30, 0), (found.Rows, found.Equal, found.Differences));
        Assert.True(requested > 7, $"{requested}");

        // And by a process that captures, of whom another asks.
        using var stop = new CancellationTokenSource();
        await using var capturing = stream.NewRun();
        await stream.UntilNobodyPollsAsync();
        var running = capturing.UntilStoppedAsync(null, null, stop.Token, Token);
        await stream.UntilAsync(() => capturing.Stream.Capture.Watermark is not null, running, () => "nobody captures");
        var options = new RecaptureOptions(stream.Options, ["11"], ["20"], null, null, Once: false, LogLevel.Warning);
        Assert.Equal(0, await RepairVerbs.RecaptureAsync(options, Token));
        await stream.UntilStoredAsync(mended + 10, running);
        // Nothing would be published, and it would be said that it was.
        var nothing = await Assert.ThrowsAsync<PipelineException>(
            () => RepairVerbs.RecaptureAsync(options with { First = ["1000"], Last = ["2000"] }, Token));
        Assert.Contains("is in this part", nothing.Message);
        await stop.CancelAsync();
        await running;

        Task<int> RepairAsync(bool isDry, bool once) =>
            RepairVerbs.RepairAsync(new RepairOptions(stream.Options, isDry, once, LogLevel.Warning, AcceptsLost: once), Token);
    }

    /// <summary>Who waits sees no request any more, as where it was done.</summary>
    [Fact]
    public async Task a_request_that_the_poller_sets_aside_was_not_published()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 5) i");
        await stream.PollAsync();
        await using var poller = stream.NewRun();
        using var beat = poller.Stream.Begin(nameof(PostgresToKafka));
        var requests = new RepairRequests(stream.Options, CrashPoints.None);

        var verb = RepairVerbs.RecaptureAsync(
            new RecaptureOptions(stream.Options, null, null, null, null, Once: false, LogLevel.Warning), Token);
        await stream.UntilAsync(() => requests.Waiting().Count > 0, verb, () => "nothing was asked for");
        Assert.True(requests.HasFailed(requests.Waiting().Single(), isForGood: true));

        Assert.Equal(2, await verb);
    }

    /// <summary>A request in this folder would wait for ever.</summary>
    [Fact]
    public async Task who_captures_with_another_state_folder_is_not_asked_here()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 5) i");
        var elsewhere = stream.NewInstance(stream.Options with
        {
            Streaming = stream.Options.Streaming with
            {
                LastProcessedTimestampLocation = stream.Options.Streaming.LastProcessedTimestampLocation + "-elsewhere",
            },
        });
        await elsewhere.PollAsync();

        var recaptured = await RepairVerbs.RecaptureAsync(
            new RecaptureOptions(stream.Options, null, null, null, null, Once: true, LogLevel.Warning), Token);

        Assert.Equal(2, recaptured);
        Assert.Empty(new RepairRequests(stream.Options, CrashPoints.None).Waiting());
    }

    /// <summary>As verify ends: nobody has published them yet.</summary>
    [Fact]
    public async Task deletes_that_are_on_the_way_are_no_agreement()
    {
        // On a server of its own: what others have open there keeps a horizon back, and rows are on the way then.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 5) i");
        await stream.PollAndStoreAsync();
        var options = new RepairOptions(stream.Options, IsDry: true, Once: false, LogLevel.Warning);
        Assert.Equal(0, await RepairVerbs.RepairAsync(options, Token));

        await stream.ExecuteAsync("DELETE FROM items WHERE id = 3");

        Assert.Equal(2, await RepairVerbs.RepairAsync(options, Token));
    }

    /// <summary>Deletes are captured, and these went past the triggers: nobody but 'repair' publishes them.</summary>
    [Fact]
    public async Task rows_that_only_the_lake_has_count_apart_as_long_as_nobody_asks_for_them()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 50) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync(
            "ALTER TABLE items DISABLE TRIGGER deletes; DELETE FROM items WHERE id = 3; ALTER TABLE items ENABLE ALWAYS TRIGGER deletes");
        await stream.PollAndStoreAsync();
        await using var run = stream.NewRun();

        var found = await run.Stream.Repair.FindAsync(isDry: true, Token);
        Assert.Equal((1, 1), (found.Extra, found.ExtraUnasked));
        found = await run.Stream.Repair.FindAsync(isDry: false, Token);
        Assert.Equal((1, 0, 1), (found.Extra, found.ExtraUnasked, found.Requested));
    }

    /// <summary>Readers of the lake see NULL in a column that its files have not.</summary>
    [Fact]
    public async Task values_of_a_column_that_the_lake_has_not_are_found_stale_and_mended()
    {
        // On a server of its own: what others have open there keeps a horizon back, and rows are on the way then.
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka, configure: o => o with { Postgres = o.Postgres with { ExcludeColumns = ["name"] } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, CASE WHEN i > 10 THEN 'n' || i END FROM generate_series(1, 30) i");
        await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(null, Token));
        await stream.UntilNobodyPollsAsync();

        var options = stream.Options with { Postgres = stream.Options.Postgres with { ExcludeColumns = [] } };
        // Nothing was committed since: no window looks at the table.
        Assert.Equal(1, await RepairVerbs.RepairAsync(new RepairOptions(options, IsDry: true, Once: false, LogLevel.Warning), Token));
        Assert.Equal(0, await RepairVerbs.RepairAsync(new RepairOptions(options, IsDry: false, Once: true, LogLevel.Warning), Token));
        await stream.NewestShouldEqualTableAsync();
        // Those that have no value there are equal.
        Assert.InRange(stream.Lake.Count(), 50, 60);
    }

    /// <summary>
    /// Half of the partitions have a repair's page, and one of the others the beginning of its part: what a late commit leaves of it.
    /// </summary>
    [Fact]
    public async Task a_torn_repair_is_no_lost_end_and_moves_nothing_and_is_done_again()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 40) i");
        await stream.PollAndStoreAsync();
        await stream.Instance.DisposeAsync();
        var before = new WatermarkFile(stream.Options).Read()!;
        new RepairRequests(stream.Options, CrashPoints.None).Add(
            new RepairRequest("the test", new RowSelection(), ""), DateTimeOffset.UnixEpoch);
        await TearAsync(stream, before);

        await stream.RestartAsync();
        var poll = await stream.PollAsync();
        Assert.Equal((PollOutcome.Idle, 40), (poll.Outcome, poll.RepairedRows));
        await stream.StoreAsync();
        await stream.NewestShouldEqualTableAsync();
        Assert.Empty(stream.Lake.QuarantineLines);
        Assert.True(new WatermarkFile(stream.Options).Read()!.Horizon!.Xmin >= before.Horizon!.Xmin);
        Assert.DoesNotContain(stream.Log.Warnings, w => w.Contains("lost the end", StringComparison.Ordinal));
        await stream.ExecuteAsync("UPDATE items SET name = 'new', updated_at = clock_timestamp() WHERE id <= 10");
        await stream.PollAndStoreAsync();
        await stream.NewestShouldEqualTableAsync();
    }

    private static async Task TearAsync(TestStream stream, Watermark before)
    {
        var records = stream.Dump().Records;
        var schema = new SchemaStore(stream.Options.Streaming.CheckpointLocation).Read(
            Path.GetFileNameWithoutExtension(
                Directory.GetFiles(Path.Combine(stream.Options.Streaming.CheckpointLocation, "schemas"), "*.json").Single()));
        var page = new Page(64 * 1024).Begin(schema);
        foreach (var record in records) page.Add(record.Key!, record.Value!, record.Partition);
        var partitions = records.Max(r => r.Partition) + 1;
        var headers = new PageHeaders(
            new OutgoingPage(page, before.AdvanceBeside(records.Count), null, before.PagesOrNone), stream.Options.StreamName, "torn",
            isNamed: false, partitions);
        using var producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = stream.Options.Kafka.Brokers })
            .Build();
        var sent = new int[partitions];
        foreach (var record in records)
        {
            var own = headers.Next(record.Partition);
            var kept = record.Partition switch { 0 or 2 => int.MaxValue, 1 => 2, _ => 0 };
            if (sent[record.Partition]++ >= kept) continue;
            var message = new Message<byte[], byte[]> { Key = record.Key!, Value = record.Value!, Headers = own };
            await producer.ProduceAsync(new TopicPartition(stream.Options.Kafka.Topic, record.Partition), message, Token);
        }
    }

    [Fact]
    public async Task a_request_that_means_nothing_any_more_is_dropped_and_holds_nothing_up()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 5) i");
        await stream.PollAndStoreAsync();
        var requests = new RepairRequests(stream.Options, CrashPoints.None);
        var order = await OrderAsync(stream);
        string[] files =
        [
            requests.Add(new("the test", new RowSelection { Keys = [["1"]] }, "name text"), DateTimeOffset.UnixEpoch),
            requests.Add(new("the test", new RowSelection { Keys = [["no number"]] }, order), DateTimeOffset.UnixEpoch),
            requests.Add(new("the test", new RowSelection(), order), DateTimeOffset.UnixEpoch),
        ];
        File.WriteAllText(files[2], "{}");
        await stream.ExecuteAsync("UPDATE items SET name = 'new', updated_at = clock_timestamp() WHERE id = 1");

        var poll = await stream.PollAsync();
        Assert.Equal((0, 1, 0), (poll.RepairedRows, poll.Rows, requests.Waiting().Count));
        // Who asked can tell that it was not done.
        Assert.All(files, file => Assert.NotNull(RepairRequests.SetAside(file)));
        Assert.Equal(3, stream.Log.Warnings.Count(w => w.Contains("is dropped, since", StringComparison.Ordinal)));
        Assert.DoesNotContain("no number", stream.Log.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Where no trigger writes deletes down, and the audit may publish them; not where most of all rows seem to be gone.</summary>
    [Fact]
    public async Task what_only_the_lake_has_is_published_as_deleted_by_the_running_loop_alone_but_not_too_much_of_it()
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => Audited(o) with { Postgres = o.Postgres with { Deletes = "audit" } });
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 300) i");
        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await stream.UntilStoredAsync(300, running);
        var file = new AuditStateFile(stream.Options, CrashPoints.None);

        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 10");
        await stream.UntilAsync(
            () => file.Read() is { Last: { Rows: 290, Differences: 0 }, RequestedInAll: >= 10 }, running, () => $"it says {file.Read()}");
        await stream.NewestShouldEqualTableAsync();

        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 40");
        await HeldAsync(30, "they are more than 5% of all (postgres.deletes_share_max)");
        await stream.ExecuteAsync("DELETE FROM items");
        await HeldAsync(290, "the table is empty");
        await stop.CancelAsync();
        await running;
        Assert.Equal(10, stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE _op = 'delete'").Count);

        Task HeldAsync(long extra, string why) => stream.UntilAsync(
            () => stream.Log.Warnings.Any(w => w.Contains($"{extra} rows of the lake are not in the table", StringComparison.Ordinal)
                && w.Contains(why, StringComparison.Ordinal)),
            running, () => $"it says {file.Read()}");
    }

    /// <summary>A file that held them is gone. What went past the triggers is told, and left as it is.</summary>
    [Fact]
    public async Task deletes_that_the_lake_has_lost_are_published_again_by_the_running_loop_alone()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka, TestStream.ItemsAndDeletes, configure: Audited);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 300) i");
        await stream.PollAndStoreAsync();
        var before = stream.Lake.Files;
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 5");
        await stream.PollAndStoreAsync();
        var deletes = stream.Lake.Files.Except(before).ToList();
        await stream.ExecuteAsync(
            "ALTER TABLE items DISABLE TRIGGER deletes; DELETE FROM items WHERE id = 300; ALTER TABLE items ENABLE ALWAYS TRIGGER deletes");
        // Not of the newest commit: without its files storing does not begin.
        await stream.ExecuteAsync("UPDATE items SET updated_at = clock_timestamp()");
        await stream.PollAndStoreAsync();
        foreach (var lost in deletes) File.Delete(lost);
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();

        using var stop = new CancellationTokenSource();
        await using var run = stream.NewRun();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Token);
        await AuditRounds.UntilAsync(
            stream, running, 30, (state, last) => last is { Rows: 294, Extra: 1, Differences: 1 } && state.RequestedInAll == 5);
        await stop.CancelAsync();
        await running;

        Assert.Equal(
            ["1", "2", "3", "4", "5"],
            stream.Lake.Rows($"SELECT id FROM {stream.Lake.Source} WHERE _op = 'delete' ORDER BY id").Select(r => r[0]));
        Assert.Contains(stream.Log.Warnings, w => w.Contains("files of the lake that held deletes may be gone", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_request_to_delete_deletes_what_is_not_in_the_table_and_nothing_else()
    {
        await using var stream = await TestStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 5) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id IN (2, 3)");
        new RepairRequests(stream.Options, CrashPoints.None).Add(
            new RepairRequest("the test", new RowSelection { Keys = [["1"], ["2"], ["3"]] }, await OrderAsync(stream)) { IsDeletes = true },
            DateTimeOffset.UnixEpoch);
        await stream.ExecuteAsync("INSERT INTO items VALUES (3, 'again', clock_timestamp())");

        Assert.Equal(1, (await stream.PollAsync()).RepairedRows);
        await stream.StoreAsync();

        await stream.NewestShouldEqualTableAsync();
        Assert.Empty(new RepairRequests(stream.Options, CrashPoints.None).Waiting());
    }

    /// <summary>Its text is made of what the lake has of it.</summary>
    [Theory]
    [InlineData("text", "'a'", "'quote\" back\\ slash '''", "'é花'")]
    [InlineData("numeric", "1.50", "-0.000001", "'NaN'")]
    [InlineData("uuid", "'0f8fad5b-d9cb-469f-a165-70867728950e'")]
    [InlineData("timestamptz", "'2026-01-01 00:00:00.000001Z'", "'infinity'", "'0044-03-15 12:00:00Z BC'")]
    [InlineData("date", "'2026-02-28'", "'-infinity'", "'0044-03-15 BC'")]
    [InlineData("double precision", "0.1", "'-Infinity'", "1e300")]
    [InlineData("bytea", "'\\x00ff'", "''")]
    [InlineData("boolean", "true")]
    [InlineData("time", "'12:30:00.5'")]
    public async Task a_key_of_any_type_that_only_the_lake_has_is_published_as_deleted(string type, params string[] keys)
    {
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, $"CREATE TABLE things (n int, k {type}, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (n, k))",
            "things", o => o with { Postgres = o.Postgres with { Deletes = "audit", DeletesShareMax = 100 } });
        await stream.ExecuteAsync(
            "INSERT INTO things VALUES " + string.Join(", ", keys.Select((k, i) => $"({i}, {k})")) + $", (100, {keys[0]})");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("DELETE FROM things WHERE n < 100");
        await stream.Instance.DisposeAsync();
        await stream.UntilNobodyPollsAsync();

        // It compares once more in the end.
        var repair = new RepairOptions(stream.Options, IsDry: false, Once: true, LogLevel.Warning);
        Assert.Equal(0, await RepairVerbs.RepairAsync(repair, Token));
        Assert.Equal(keys.Length, stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE _op = 'delete'").Count);
    }

    /// <summary>As of an enum whose label was renamed. The audit asks again, round after round.</summary>
    [Fact]
    public async Task a_key_that_the_server_does_not_read_keeps_no_other_delete_back()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(server, kafka);
        await stream.ExecuteAsync("INSERT INTO items SELECT i, 'n' FROM generate_series(1, 9) i");
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("DELETE FROM items WHERE id <= 5");
        var order = await OrderAsync(stream);

        for (var round = 0; round < 2; round++)
        {
            Ask([["1"], ["gone"], ["2"], ["3"], ["4"], ["also gone"], ["5"]]);
            await stream.PollAndStoreAsync();
            var failed = Assert.Single(Directory.GetFiles(RepairsOf(stream)));
            Assert.Equal(
                [["gone"], ["also gone"]], RepairRequest.FromStateFile(File.ReadAllBytes(failed), stream.Options.StreamName).Only.Keys);
        }
        await stream.NewestShouldEqualTableAsync();

        // Of others, a file each.
        Ask([["something else"]]);
        await stream.PollAsync();
        Assert.Equal(2, Directory.GetFiles(RepairsOf(stream)).Length);

        void Ask(params string[][] keys) => new RepairRequests(stream.Options, CrashPoints.None).Add(
            new RepairRequest("the test", new RowSelection { Keys = [.. keys.Select(k => k.ToImmutableArray())] }, order)
            {
                IsDeletes = true,
            }, TimeProvider.System.GetUtcNow());

        static string RepairsOf(TestStream stream) => Path.Combine(stream.Options.Streaming.LastProcessedTimestampLocation, "repairs");
    }

    /// <summary>A label was renamed, and the lake keeps the old one: what the server does not read is not published as deleted.</summary>
    [Fact]
    public async Task a_delete_that_the_server_refuses_is_not_asked_for_round_after_round_but_needs_help()
    {
        await using var server = await PostgresServer.StartOwnAsync();
        await using var stream = await TestStream.CreateAsync(
            server, kafka,
            """
            CREATE TYPE label AS ENUM ('old', 'other');
            CREATE TABLE items (l label, n int, updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (l, n));
            CREATE INDEX ON items (updated_at, l, n);
            INSERT INTO items SELECT 'other', i FROM generate_series(1, 30) i;
            INSERT INTO items VALUES ('old', 1)
            """,
            configure: o => o with { Postgres = o.Postgres with { Deletes = "audit", DeletesShareMax = 50 } });
        await stream.PollAndStoreAsync();
        await stream.ExecuteAsync("ALTER TYPE label RENAME VALUE 'old' TO 'new'; DELETE FROM items WHERE l = 'new' OR n = 7");
        await stream.PollAndStoreAsync();

        var (first, asked) = await RoundAsync(new AskedRows());
        Assert.Equal((2, 2, 0), (first.Extra, first.Requested, first.Unmended));
        await stream.PollAndStoreAsync();
        (var second, asked) = await RoundAsync(asked);
        Assert.Equal((1, 0, 1), (second.Extra, second.Requested, second.Unmended));
        // That the server was asked is remembered.
        (var third, _) = await RoundAsync(asked);
        Assert.Equal((1, 0, 1), (third.Extra, third.Requested, third.Unmended));

        async Task<(AuditFindings, AskedRows)> RoundAsync(AskedRows before)
        {
            var (options, time) = (stream.Options, TimeProvider.System);
            Func<string, ILakeFiles> open = place => new LakeFolder(place);
            var arrival = new LakeArrival(options, new TopicAdmin(options), new TopicReader(options), open, time);
            var requests = new RepairRequests(options, CrashPoints.None);
            var round = new AuditRound(options, arrival, open, request => requests.Add(request, time.GetUtcNow()))
            {
                IsCaptured = false, AskedBefore = before.Published(), SetAsideBefore = before.SetAside(),
            };
            await foreach (var _ in round.StepsAsync(Token))
            {
                // One after the other.
            }
            return (round.FindingsOf(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch), round.Asked);
        }
    }

    private static void RemoveOneFile(TestStream stream)
    {
        var lake = new LakeFolder(stream.Options.Datalake.Path);
        File.Delete(lake.Locate(LakeReader.Files(lake).First()));
    }

    private static PipelineOptions Audited(PipelineOptions options) => options with
    {
        Streaming = options.Streaming with { BatchInterval = 1 },
        Audit = new AuditOptions { Share = 100, Interval = 1 },
    };

    private static async Task<string> OrderAsync(TestStream stream)
    {
        await using var connection = await SourceConnection.OpenAsync(stream.Options.Postgres, Token);
        return (await SourceCatalog.ReadAsync(connection, stream.Options.Postgres, Token)).Order;
    }
}
