using OrdersStream.Durable;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Disk;

/// <summary>Which of a stream's folders is on the disk that fails.</summary>
public enum DiskOf
{
    Lake,
    Checkpoint,
    Watermark,
}

/// <summary>
/// Both halves run, the disk of one folder fails while they write there, and is mended: they go on by themselves, the lake is the table,
/// each row version is in the topic once, and no hidden file is left.
/// </summary>
public abstract class FailingDisk(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private protected abstract void Strike(SmallDisk disk, DiskOf folder);

    private protected abstract void Mend(SmallDisk disk);

    /// <summary>What the log must say of it.</summary>
    protected abstract string Problem { get; }

    /// <param name="folder">What is on the disk.</param>
    /// <param name="at">The disk fails once this step is done; null: before rows come.</param>
    /// <param name="restarts">The process ends, and another starts, while the disk fails.</param>
    protected async Task SurvivesAsync(DiskOf folder, CrashPoint? at, bool restarts = false)
    {
        kafka.RequireReal("what an aborted transaction published stays hidden");
        await using var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = 1 } });
        using var disk = SmallDisk.MountAt(FolderOf(stream, folder));
        var armed = false;
        var points = new CrashPoints(reached =>
        {
            if (reached == at && Interlocked.Exchange(ref armed, false)) Strike(disk, folder);
        });
        await using (var run = new Running(stream, points))
        {
            await InsertAsync(stream, 1);
            await stream.UntilStoredAsync(100, run.Task);
            if (at is null) Strike(disk, folder);
            Volatile.Write(ref armed, true);
            await InsertAsync(stream, 101);
            await stream.UntilAsync(() => Troubles(stream) > 0, run.Task, () => "no half has met the fault");
            if (at is null) await IsToldAsync(stream);
            Assert.InRange(stream.Lake.Count(), 100, 200); // a reader meets whole files only
            if (!restarts) await MendAsync(stream, disk, run);
        }
        if (restarts)
        {
            var before = Troubles(stream);
            await using var again = new Running(stream, points);
            await stream.UntilAsync(() => Troubles(stream) > before, again.Task, () => "no half has met the fault again");
            await MendAsync(stream, disk, again);
        }

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((300, 300), (stream.Dump().Records.Count, stream.Lake.Count()));
        Assert.Empty(Enum.GetValues<DiskOf>().SelectMany(f => HiddenFiles(FolderOf(stream, f))));
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    /// <summary>Another process sees what the half that fails says of it.</summary>
    private async Task IsToldAsync(TestStream stream)
    {
        await using var observer = stream.NewRun();
        var status = await observer.Stream.Status.ReadAsync(Cancellation);
        var storing = status.Halves.Single(h => h.Name == "KafkaToLake");
        Assert.Equal((Health.Wrong, HalfState.Retrying), (status.Health, storing.State));
        Assert.Contains(Problem, storing.Says, StringComparison.Ordinal);
    }

    private async Task MendAsync(TestStream stream, SmallDisk disk, Running run)
    {
        Mend(disk);
        await InsertAsync(stream, 201);
        await stream.UntilStoredAsync(300, run.Task);
    }

    private int Troubles(TestStream stream) =>
        stream.Log.Lines.Count(line => line.Id == 9002 && line.Message.Contains(Problem, StringComparison.Ordinal));

    private static string FolderOf(TestStream stream, DiskOf folder) => folder switch
    {
        DiskOf.Lake => stream.Options.Datalake.Path,
        DiskOf.Checkpoint => stream.Options.Streaming.CheckpointLocation,
        _ => stream.Options.Streaming.LastProcessedTimestampLocation,
    };

    private static string[] HiddenFiles(string folder) =>
        Directory.GetFiles(folder, ".*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 });

    /// <summary>Text that does not compress: a file of these rows is larger than what a full disk has left.</summary>
    private static Task InsertAsync(TestStream stream, int first) => stream.ExecuteAsync(
        "INSERT INTO items (id, name) SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 8) j) "
        + $"FROM generate_series({first}, {first + 99}) i");

    /// <summary>One process with both halves at work.</summary>
    private sealed class Running : IAsyncDisposable
    {
        private readonly TestRun run;
        private readonly CancellationTokenSource stop = new();

        public Running(TestStream stream, CrashPoints points)
        {
            run = stream.NewRun(crashPoints: points);
            Task = run.UntilStoppedAsync(null, [0, 1, 2, 3], stop.Token, Cancellation);
        }

        public Task Task { get; }

        public async ValueTask DisposeAsync()
        {
            await stop.CancelAsync();
            await Task.WithPatienceAsync("both halves");
            await run.DisposeAsync();
            stop.Dispose();
        }
    }
}

/// <summary>No room, from the middle of a file or of a commit on.</summary>
public sealed class FullDiskTests(PostgresServer postgres, KafkaServer kafka) : FailingDisk(postgres, kafka)
{
    protected override string Problem => "The disk is full";

    [Theory]
    [InlineData(DiskOf.Lake, null)]
    [InlineData(DiskOf.Checkpoint, CrashPoint.TemporaryNamesSynced)]
    [InlineData(DiskOf.Watermark, CrashPoint.PageCommitted)]
    public Task room_again_is_all_that_is_needed(DiskOf folder, CrashPoint? at) => SurvivesAsync(folder, at);

    [Theory]
    [InlineData(DiskOf.Lake, null)]
    [InlineData(DiskOf.Watermark, CrashPoint.PageCommitted)]
    public Task a_process_that_starts_while_there_is_no_room_waits_for_it(DiskOf folder, CrashPoint? at) =>
        SurvivesAsync(folder, at, restarts: true);

    /// <summary>A file of rows can be begun, and not ended.</summary>
    private protected override void Strike(SmallDisk disk, DiskOf folder) => disk.Fill(room: folder == DiskOf.Lake ? 8 * 1024 : 0);

    private protected override void Mend(SmallDisk disk) => disk.MakeRoom();
}

/// <summary>As a disk becomes when its file system meets an error.</summary>
public sealed class ReadOnlyDiskTests(PostgresServer postgres, KafkaServer kafka) : FailingDisk(postgres, kafka)
{
    protected override string Problem => "The file system is read-only";

    [Theory]
    [InlineData(DiskOf.Lake, null)]
    [InlineData(DiskOf.Lake, CrashPoint.CommitCreated)]
    [InlineData(DiskOf.Checkpoint, CrashPoint.TemporaryNamesSynced)]
    [InlineData(DiskOf.Watermark, CrashPoint.PageCommitted)]
    public Task writable_again_is_all_that_is_needed(DiskOf folder, CrashPoint? at) => SurvivesAsync(folder, at);

    [Fact]
    public Task a_process_that_starts_on_a_read_only_lake_in_mid_commit_waits() =>
        SurvivesAsync(DiskOf.Lake, CrashPoint.CommitCreated, restarts: true);

    private protected override void Strike(SmallDisk disk, DiskOf folder) => disk.MakeReadOnly();

    private protected override void Mend(SmallDisk disk) => disk.MakeWritable();
}
