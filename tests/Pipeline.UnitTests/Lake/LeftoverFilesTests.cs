using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Lake;

/// <summary>What crashed writers leave behind.</summary>
public sealed class LeftoverFilesTests : IDisposable
{
    private readonly TestLake lake = new();

    public void Dispose() => lake.Dispose();

    [Fact]
    public async Task a_crashed_writers_files_go_after_a_day_and_not_before()
    {
        lake.Topic.Page(0, 3);
        await CrashAsync(CrashPoint.DataFileSynced);
        var left = Assert.Single(Temporary());

        await lake.StoreAsync(lake.Topic.All);
        Assert.Equal([left], Temporary());

        lake.Time.Advance(TimeSpan.FromHours(25));
        lake.Topic.Page(0, 1);
        await lake.StoreAsync(lake.Topic.All);
        Assert.Empty(Temporary());
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task a_committed_file_that_waits_for_its_name_is_no_leftover()
    {
        lake.Topic.Page(0, 3);
        lake.Topic.Page(1, 3);
        await CrashAsync(CrashPoint.CommitCreated, lake.Topic[0]);
        lake.Time.Advance(TimeSpan.FromHours(25));
        await lake.StoreAsync([.. lake.Topic[1]]);
        Assert.Single(Temporary());
        await lake.StoreAsync([.. lake.Topic[0]]);
        await lake.AssertStoredOnceAsync();
    }

    [Fact]
    public async Task what_is_left_of_state_files_goes_too()
    {
        var (old, young, others) = (new List<string>(), new List<string>(), new List<string>());
        lake.Time.Advance(TimeSpan.FromDays(3));
        foreach (var folder in (string[])[lake.Root, lake.Checkpoint, Path.Combine(lake.Checkpoint, "commits")])
        {
            Directory.CreateDirectory(folder);
            old.Add(Write(folder, $".state.json.{Guid.NewGuid():N}.tmp"));
            young.Add(Write(folder, $".state.json.{Guid.NewGuid():N}.tmp"));
            others.Add(Write(folder, ".state.json.tmp"));
            others.Add(Write(folder, $"state.json.{Guid.NewGuid():N}.tmp"));
            others.Add(Write(folder, $".{Guid.NewGuid():N}"));
        }
        foreach (var file in young) File.SetLastWriteTimeUtc(file, lake.Time.GetUtcNow().UtcDateTime.AddHours(-23));

        lake.Topic.Page(0, 3);
        await lake.StoreAsync(lake.Topic.All);

        Assert.DoesNotContain(old, File.Exists);
        Assert.All(young.Concat(others), file => Assert.True(File.Exists(file), file));

        static string Write(string folder, string name)
        {
            var path = Path.Combine(folder, name);
            File.WriteAllText(path, "");
            return path;
        }
    }

    [Fact]
    public async Task other_files_stay()
    {
        string[] others = [".part-0-0-1.parquet.ffffffff-1-1.tmp", ".something.tmp", "_SUCCESS", "notes.txt"];
        foreach (var name in others)
        {
            Directory.CreateDirectory(lake.Root);
            File.WriteAllText(Path.Combine(lake.Root, name), "");
        }
        lake.Time.Advance(TimeSpan.FromDays(3));
        lake.Topic.Page(0, 3);
        await lake.StoreAsync(lake.Topic.All);
        Assert.Superset(others.ToHashSet(), lake.Files().ToHashSet());
    }

    [Fact]
    public async Task a_writer_that_slept_for_more_than_an_hour_commits_nothing_it_wrote_before()
    {
        lake.Topic.Page(0, 3);
        using var instance = lake.NewInstance(p =>
        {
            if (p == CrashPoint.DataFileSynced) lake.Time.Advance(TimeSpan.FromHours(2));
        });
        var e = await Assert.ThrowsAsync<PipelineException>(() => instance.StoreAsync(lake.Topic.All, CancellationToken.None));
        Assert.Equal(FailureAction.Retry, e.Action);
        Assert.False(Directory.Exists(lake.PartitionLog(0)));
    }

    [Fact]
    public async Task a_batch_that_was_given_up_leaves_no_file()
    {
        lake.Topic.Page(0, 3);
        using var cancel = new CancellationTokenSource();
        using var instance = lake.NewInstance(p =>
        {
            if (p == CrashPoint.DataFileWritten) throw new IOException("disk full");
        });
        await Assert.ThrowsAsync<IOException>(() => instance.StoreAsync(lake.Topic.All, cancel.Token));
        Assert.Empty(lake.Files());
    }

    private IEnumerable<string> Temporary() => lake.Files().Where(f => f.EndsWith(".tmp", StringComparison.Ordinal));

    private async Task CrashAsync(CrashPoint at, IReadOnlyList<StreamRecord>? records = null)
    {
        using var instance = lake.NewInstance(p =>
        {
            if (p == at) throw new CrashException();
        });
        await Assert.ThrowsAsync<CrashException>(() => instance.StoreAsync(records ?? lake.Topic.All, CancellationToken.None));
    }
}
