using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

public sealed class KafkaToLakeTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_batch_of_mixed_partitions_is_stored_once_and_named_by_its_offsets()
    {
        Topic.Page(0, 3);
        Topic.Page(1, 2);
        var result = await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Equal((5, 0, 0, 2), (result.Rows, result.Quarantined, result.AlreadyStored, result.Files));
        Assert.Equal(["by_order_date=2026-02-28/part-0-0-2.parquet", "by_order_date=2026-02-28/part-1-0-1.parquet"], lake.Files());
        Assert.Equal(result.Bytes, lake.Files().Sum(f => new FileInfo(Path.Combine(lake.Root, f)).Length));
    }

    [Fact]
    public async Task a_redelivered_batch_is_dropped()
    {
        Topic.Page(0, 3);
        await lake.StoreAsync(Topic.All);
        Topic.Page(0, 2);
        var result = await lake.StoreAsync([.. Topic.All, .. Topic.All]);
        await lake.AssertStoredOnceAsync();
        Assert.Equal((2, 5 + 3), (result.Rows, result.AlreadyStored));
    }

    /// <summary>What was written meanwhile lies below its mount point: an entry that names it would stand over a gap.</summary>
    [Fact]
    public async Task a_lake_that_is_away_only_while_a_batch_is_written_costs_nothing()
    {
        Topic.Page(0, 3);
        var isAway = true;
        using var instance = lake.NewInstance(reached =>
        {
            if (!isAway || reached != CrashPoint.TemporaryNamesSynced) return;
            isAway = false;
            foreach (var hidden in lake.Files().Where(f => f.EndsWith(".tmp", StringComparison.Ordinal)))
                File.Delete(Path.Combine(lake.Root, hidden));
        });
        var refused = await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(Topic.All, CancellationToken.None));
        Assert.Equal(FailureAction.Retry, refused.Action);
        Assert.Contains(lake.Root, refused.Message, StringComparison.Ordinal);
        await instance.StoreAsync(Topic.All, CancellationToken.None);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task one_instance_goes_on_where_it_was()
    {
        using var instance = lake.NewInstance();
        for (var page = 0; page < 3; page++) await instance.StoreAsync(Topic.Page(0, 4), CancellationToken.None);
        await lake.AssertStoredOnceAsync();
        Assert.Equal(14, await lake.NextOffsetAsync(0));
        Assert.Empty(lake.Gaps);
    }

    /// <summary>Folder and all: what the message asks for is all that it takes.</summary>
    [Fact]
    public async Task a_day_that_was_removed_on_purpose_is_accepted_as_the_message_says()
    {
        string[] days = ["2026-02-28", "2026-03-01"];
        Topic.Page(0, 2, value: i => TestTopic.Row(i, days[i]));
        await lake.StoreAsync(Topic.All);
        Directory.Delete(Assert.Single(Directory.GetDirectories(lake.Root, "*=2026-02-28")), recursive: true);

        var next = Topic.Page(0, 3, value: i => TestTopic.Row(i + 2, days[1]));
        var stop = await Assert.ThrowsAsync<PipelineException>(() => lake.StoreAsync(next));
        const string asked = "create the empty file '";
        var marker = stop.Remedy[(stop.Remedy.IndexOf(asked, StringComparison.Ordinal) + asked.Length)..^2];
        await File.WriteAllBytesAsync(marker, [], TestContext.Current.CancellationToken);
        Assert.Equal(3, (await lake.StoreAsync(next)).Rows);
        Assert.Equal(4, (await lake.StoredAsync()).Count);
    }

    /// <summary>Both on one volume, or the lake alone, or the log alone: its owner is the same, and no name is taken.</summary>
    [Theory, InlineData(true, true), InlineData(true, false), InlineData(false, true)]
    public async Task a_volume_put_back_under_a_running_storer_is_noticed_before_the_next_commit(bool putsLakeBack, bool putsLogBack)
    {
        using var instance = lake.NewInstance();
        await instance.StoreAsync(Topic.Page(0, 2), CancellationToken.None);
        var places = new[] { (lake.Root, putsLakeBack), (lake.Checkpoint, putsLogBack) }.Where(p => p.Item2).Select(p => p.Item1).ToList();
        foreach (var place in places) TestLake.CopyFolder(place, place + "-copy");
        await instance.StoreAsync(Topic.Page(0, 3), CancellationToken.None);
        foreach (var place in places)
        {
            Directory.Delete(place, recursive: true);
            Directory.Move(place + "-copy", place);
        }

        var next = Topic.Page(0, 4);
        var failure = await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(next, CancellationToken.None));
        Assert.Contains("What was committed of partition 0 is not there any more", failure.Message);
        if (!putsLogBack)
        {
            // The log says what the lake lacks. The other way round the files say what the log does.
            var stop = await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(next, CancellationToken.None));
            Assert.Equal(FailureAction.Stop, stop.Action);
            return;
        }
        await instance.StoreAsync(next, CancellationToken.None);
        await lake.AssertStoredOnceAsync();
        Assert.Equal(9, (await lake.StoredAsync()).Count);
    }

    [Fact]
    public async Task a_batch_of_nothing_leaves_no_file()
    {
        Assert.Equal(BatchResult.Nothing, await lake.StoreAsync([]));
        Assert.Empty(lake.Files());
    }

    [Fact]
    public async Task rows_of_each_day_have_a_folder_and_offsets_name_the_files_own_rows()
    {
        string[] days = ["2026-02-28", "2026-03-01", "2026-02-28", "2026-03-01"];
        Topic.Page(0, 4, value: i => TestTopic.Row(i, days[i]));
        await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Equal(["by_order_date=2026-02-28/part-0-0-2.parquet", "by_order_date=2026-03-01/part-0-1-3.parquet"], lake.Files());
    }

    [Fact]
    public async Task a_batch_over_its_limit_is_stored_in_several_commits()
    {
        lake.Datalake = lake.Datalake with { BatchRows = 10 };
        Topic.Page(0, 35);
        var result = await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.Equal((35, 4), (result.Rows, result.Files));
    }

    [Fact]
    public async Task a_file_over_its_limit_is_followed_by_another()
    {
        lake.Datalake = lake.Datalake with { FileBytes = 1_024 };
        Topic.Page(0, 100);
        var result = await lake.StoreAsync(Topic.All);
        await lake.AssertStoredOnceAsync();
        Assert.InRange(result.Files, 3, 50);
        Assert.Single(Directory.GetFiles(lake.PartitionLog(0), "*.json"));
    }

    [Fact]
    public async Task a_batch_is_one_line_in_the_log_and_its_poison_another_without_a_value()
    {
        Topic.Page(0, 3, value: i => i == 1 ? "{\"secret\":1}" : TestTopic.Row(i));
        Topic.Page(1, 2);
        await lake.StoreAsync(Topic.All);
        Assert.Equal([(LogLevel.Warning, 3002), (LogLevel.Information, 3001)], lake.Log.Lines.Select(l => (l.Level, l.Id)));
        Assert.StartsWith("KafkaToLake: 4 rows, 1 quarantined, 2 files, ", lake.Log.Lines[1].Text);
        Assert.StartsWith("quarantined 1 records of partition 0, the first at offset 1: ", lake.Log.Lines[0].Text);
        Assert.EndsWith("quarantine-0-1-1.jsonl'", lake.Log.Lines[0].Text);

        var oldest = DateTimeOffset.FromUnixTimeMilliseconds(Topic[0][0].TimestampMs);
        var lag = FormattableString.Invariant($"{(lake.Time.GetUtcNow() - oldest).TotalSeconds:0.0}");
        Assert.Contains($"2 partitions, lag {lag} s, took ", lake.Log.Lines[1].Text);

        await lake.StoreAsync(Topic.All);
        Assert.Equal(3, lake.Log.Lines.Count);
        Assert.Equal("KafkaToLake: 5 records were delivered again; the lake has them already", lake.Log.Lines[2].Text);
    }

    [Fact]
    public async Task a_crash_at_any_point_changes_nothing_in_the_end()
    {
        var reached = new HashSet<CrashPoint>();
        var crashed = true;
        for (var at = 0; crashed; at++)
        {
            using var fresh = new TestLake();
            fresh.Topic.Page(0, 3, value: i => i == 1 ? "no row" : TestTopic.Row(i, $"2026-03-0{i + 1}"));
            fresh.Topic.Page(1, 2);
            var batches = new[] { fresh.Topic.All, [.. fresh.Topic.Page(0, 2), .. fresh.Topic.Page(1, 2)] };
            crashed = await CrashAsync(fresh, batches, at, reached);
            Assert.Distinct(await fresh.StoredAsync());

            // The next process gets the same batches again, as a consumer that committed nothing does.
            await fresh.StoreAsync(batches[0]);
            await fresh.StoreAsync(fresh.Topic.All);
            await fresh.AssertStoredOnceAsync();
            Assert.Empty(fresh.Gaps);
        }
        Assert.Superset(
            new HashSet<CrashPoint>
            {
                CrashPoint.DataFileWritten, CrashPoint.DataFileSynced, CrashPoint.CommitCreated,
                CrashPoint.DataFileRenamed, CrashPoint.DirectorySynced,
            },
            reached);
    }

    [Fact]
    public async Task a_crash_while_rolling_forward_is_rolled_forward_again()
    {
        var crashed = true;
        for (var at = 0; crashed; at++)
        {
            using var fresh = new TestLake();
            fresh.Topic.Page(0, 3, value: i => TestTopic.Row(i, $"2026-03-0{i + 1}"));
            await Assert.ThrowsAsync<CrashException>(() => StoreUntilAsync(fresh, p => p == CrashPoint.CommitCreated));
            var count = 0;
            try
            {
                await StoreUntilAsync(fresh, _ => count++ == at);
                crashed = false;
            }
            catch (CrashException)
            {
            }
            Assert.Distinct(await fresh.StoredAsync());
            await fresh.StoreAsync(fresh.Topic.All);
            await fresh.AssertStoredOnceAsync();
        }
    }

    private static async Task StoreUntilAsync(TestLake lake, Func<CrashPoint, bool> crash)
    {
        using var instance = lake.NewInstance(p =>
        {
            if (crash(p)) throw new CrashException();
        });
        await instance.StoreAsync(lake.Topic.All, CancellationToken.None);
    }

    private static async Task<bool> CrashAsync(TestLake lake, IReadOnlyList<StreamRecord>[] batches, int at, HashSet<CrashPoint> reached)
    {
        var count = 0;
        try
        {
            using var instance = lake.NewInstance(p =>
            {
                lock (reached)
                {
                    reached.Add(p);
                    if (count++ == at) throw new CrashException();
                }
            });
            foreach (var batch in batches) await instance.StoreAsync(batch, CancellationToken.None);
            return false;
        }
        catch (CrashException)
        {
            return true;
        }
    }
}
