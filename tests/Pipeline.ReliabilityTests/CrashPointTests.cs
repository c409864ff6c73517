using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// Invariants 2 to 5: behind whatever durable step a process ends, what comes of it in the end is the same. All steps there are: the file
/// operations take the crash point that follows them as an argument.
/// </summary>
public abstract class CrashPointTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>Runs both halves once, up to the point or, where it is not reached so often, to the end.</summary>
    /// <returns>Whether it ended at the point.</returns>
    private protected abstract Task<bool> EndsAtAsync(TestStream stream, CrashPoint point, int occurrence);

    private protected async Task ChangesNothingAsync(CrashPoint point, bool byFrames = false)
    {
        await using var stream = await (byFrames
            ? CrashStream.CreateByFramesAsync(postgres, kafka) : CrashStream.CreateAsync(postgres, kafka));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 60) i");
        var expected = 60 + await PrepareAsync(stream, point);
        Assert.True(await EndsAtAsync(stream, point, 1), $"{point} was not reached");
        Assert.True(await CrashStream.OnceAsync(stream));

        // A second time, further on: what a first start does is behind it.
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = clock_timestamp() WHERE id <= 20");
        await EndsAtAsync(stream, point, 3);
        Assert.True(await CrashStream.OnceAsync(stream));

        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(expected + 20, stream.Lake.Count());
        if (!byFrames) Assert.Equal(expected + 20, stream.Dump().Records.Count);
    }

    /// <returns>Row versions that the preparation added.</returns>
    private async Task<int> PrepareAsync(TestStream stream, CrashPoint point)
    {
        if (point == CrashPoint.RollForwardBegun) await EndsAtAsync(stream, CrashPoint.CommitCreated, 1);
        if (point != CrashPoint.CommitPruned) return 0;
        // More entries than are kept whatever their age, and all of them old.
        Assert.True(await CrashStream.OnceAsync(stream));
        stream.TakeNewRecords();
        for (var i = 0; i < 20; i++)
        {
            await stream.ExecuteAsync("UPDATE items SET name = name || '.', updated_at = clock_timestamp() WHERE id <= 4");
            await stream.PollAsync();
        }
        // Read at once and stored one window after the other.
        var windows = stream.TakeNewRecords().GroupBy(r => Convert.ToHexString(r.Key!))
            .SelectMany(key => key.Select((record, window) => (record, window))).ToLookup(r => r.window, r => r.record);
        Assert.Equal(20, windows.Count);
        foreach (var window in windows.OrderBy(w => w.Key)) await stream.Instance.StoreAsync([.. window]);
        await stream.RestartAsync();
        foreach (var entry in Directory.GetFiles(stream.Options.Streaming.CheckpointLocation, "0*.json", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(entry, TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-2));
        await stream.ExecuteAsync("UPDATE items SET name = name || '!', updated_at = clock_timestamp() WHERE id <= 4");
        return 20 * 4 + 4;
    }
}

/// <summary>By an exception that nothing handles: what is disposed of on the way is disposed of.</summary>
public abstract class CrashByExceptionTests(PostgresServer postgres, KafkaServer kafka) : CrashPointTests(postgres, kafka)
{
    private protected override async Task<bool> EndsAtAsync(TestStream stream, CrashPoint point, int occurrence)
    {
        var (seen, crashed) = (0, false);
        var ended = await CrashStream.OnceAsync(stream, reached =>
        {
            if (reached != point || Interlocked.Increment(ref seen) != occurrence) return;
            crashed = true;
            throw new CrashException(reached);
        });
        Assert.Equal(crashed, !ended);
        return crashed;
    }
}

/// <summary>The capturing half's steps.</summary>
public sealed class ExceptionInCaptureTests(PostgresServer postgres, KafkaServer kafka) : CrashByExceptionTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Capture), MemberType = typeof(Steps))]
    public Task a_process_that_ends_behind_any_durable_step_changes_nothing(CrashPoint point) => ChangesNothingAsync(point);
}

/// <summary>The capturing half's steps, without transactions.</summary>
public sealed class ExceptionInFramesTests(PostgresServer postgres, KafkaServer kafka) : CrashByExceptionTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Capture), MemberType = typeof(Steps))]
    public Task a_process_that_ends_behind_any_durable_step_changes_nothing(CrashPoint point) => ChangesNothingAsync(point, byFrames: true);
}

/// <summary>The storing half's steps.</summary>
public sealed class ExceptionInStorageTests(PostgresServer postgres, KafkaServer kafka) : CrashByExceptionTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Storage), MemberType = typeof(Steps))]
    public Task a_process_that_ends_behind_any_durable_step_changes_nothing(CrashPoint point) => ChangesNothingAsync(point);
}

/// <summary>By SIGKILL: a real LocalHost process, of which nothing is run any more.</summary>
public abstract class CrashByKillTests(PostgresServer postgres, KafkaServer kafka) : CrashPointTests(postgres, kafka)
{
    private protected override async Task<bool> EndsAtAsync(TestStream stream, CrashPoint point, int occurrence)
    {
        var exitCode = await LocalHostProcess.OnceAsync(stream.Options, (point, occurrence, OnPoint.Die));
        Assert.True(exitCode is 0 or LocalHostProcess.KilledExitCode, $"it ended with {exitCode}");
        return exitCode == LocalHostProcess.KilledExitCode;
    }
}

/// <summary>The capturing half's steps.</summary>
public sealed class KillInCaptureTests(PostgresServer postgres, KafkaServer kafka) : CrashByKillTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Capture), MemberType = typeof(Steps))]
    public Task a_process_that_is_killed_behind_any_durable_step_changes_nothing(CrashPoint point) => ChangesNothingAsync(point);
}

/// <summary>Where a page is sent, without transactions.</summary>
public sealed class KillInFramesTests(PostgresServer postgres, KafkaServer kafka) : CrashByKillTests(postgres, kafka)
{
    [Fact]
    public Task a_process_that_is_killed_behind_a_page_that_it_sent_changes_nothing() =>
        ChangesNothingAsync(CrashPoint.PageProduced, byFrames: true);
}

/// <summary>The storing half's steps.</summary>
public sealed class KillInStorageTests(PostgresServer postgres, KafkaServer kafka) : CrashByKillTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Storage), MemberType = typeof(Steps))]
    public Task a_process_that_is_killed_behind_any_durable_step_changes_nothing(CrashPoint point) => ChangesNothingAsync(point);
}

/// <summary>Ends one after the other.</summary>
public sealed class CrashAfterCrashTests(PostgresServer postgres, KafkaServer kafka)
{
    /// <summary>
    /// The first process ends behind its first step, the next behind its second, and so on: recovery itself is cut off everywhere.
    /// </summary>
    [Fact]
    public async Task crashes_while_crashes_are_made_up_for_change_nothing()
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, 30) i");
        var (starts, steps) = (1, 0);
        while (!await CrashStream.OnceAsync(stream, point =>
        {
            if (Interlocked.Increment(ref steps) >= starts) throw new CrashException(point);
        }))
        {
            (starts, steps) = (starts + 1, 0);
            Assert.True(starts < 200, $"still crashing after {starts} starts");
        }
        Assert.True(starts > 10);
        await stream.LakeShouldEqualTableAsync();
    }
}
