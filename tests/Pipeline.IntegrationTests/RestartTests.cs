using OrdersStream.Diagnostics;
using OrdersStream.IntegrationTests.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>Invariants 2 to 5: whatever step the process ends behind, what comes of it in the end is the same.</summary>
public abstract class RestartTests(PostgresServer postgres, KafkaServer kafka)
{
    private sealed class Crash(CrashPoint point) : Exception($"crashed behind {point}");

    /// <summary>A stream whose history crosses every step several times; it crashes at the given ones, in this order.</summary>
    protected async Task ARestartChangesNothingAsync(params (CrashPoint Point, int Occurrence)[] crashes)
    {
        kafka.RequireReal("what an aborted transaction published stays hidden");
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: SmallSteps);
        var left = new Queue<(CrashPoint Point, int Occurrence)>(crashes);
        var seen = 0;
        stream.OnReached = reached =>
        {
            lock (left)
            {
                if (left.Count == 0 || left.Peek().Point != reached || ++seen != left.Peek().Occurrence) return;
                left.Dequeue();
                seen = 0;
            }
            throw new Crash(reached);
        };

        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 60) i");
        var restarts = await UntilDoneAsync(stream);
        await stream.ExecuteAsync("UPDATE items SET name = 'changed', updated_at = now() WHERE id % 3 = 0");
        restarts += await UntilDoneAsync(stream);

        Assert.Equal(crashes.Length, restarts);
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal((80, 80), (stream.Dump().Records.Count, stream.Lake.Count()));
    }

    /// <summary>The first process ends behind its first step, the next behind its second, and so on: recovery itself is cut off everywhere.</summary>
    protected async Task CrashesWhileCrashesAreMadeUpForChangeNothingAsync()
    {
        kafka.RequireReal("what an aborted transaction published stays hidden");
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: SmallSteps);
        var (allowed, steps) = (1, 0);
        stream.OnReached = point =>
        {
            if (Interlocked.Increment(ref steps) < allowed) return;
            (allowed, steps) = (allowed + 1, 0);
            throw new Crash(point);
        };
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 100) FROM generate_series(1, 40) i");

        var restarts = await UntilDoneAsync(stream);

        Assert.InRange(restarts, 10, RestartsMax - 1);
        await stream.LakeShouldEqualTableAsync();
    }

    private const int RestartsMax = 60;

    private static Configuration.PipelineOptions SmallSteps(Configuration.PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { PageBytes = 1024 },
        Datalake = options.Datalake with { FileBytes = 1024 },
    };

    /// <summary>Polls and stores as a host does, starting again whenever the process crashed.</summary>
    private static async Task<int> UntilDoneAsync(TestStream stream)
    {
        for (var restarts = 0; ; restarts++)
        {
            Assert.True(restarts < RestartsMax, $"still crashing after {restarts} restarts");
            try
            {
                await stream.DrainAsync();
                await stream.StoreEverythingAsync();
                return restarts;
            }
            catch (Exception e) when (IsCrash(e))
            {
                await stream.RestartAsync();
            }
        }
    }

    private static bool IsCrash(Exception? e) =>
        e is Crash || (e is AggregateException a ? a.InnerExceptions.Any(IsCrash) : e?.InnerException is { } inner && IsCrash(inner));
}

public sealed class PostgresToKafkaRestartTests(PostgresServer postgres, KafkaServer kafka) : RestartTests(postgres, kafka)
{
    // Two windows are sure to be taken; pages there are more of.
    public static TheoryData<CrashPoint, int> Steps => new(
    [
        (CrashPoint.WindowTaken, 1), (CrashPoint.WindowTaken, 2),
        (CrashPoint.SchemaWritten, 1), (CrashPoint.SchemaWritten, 4),
        (CrashPoint.PageProduced, 1), (CrashPoint.PageProduced, 2), (CrashPoint.PageProduced, 6),
        (CrashPoint.PageCommitted, 1), (CrashPoint.PageCommitted, 2), (CrashPoint.PageCommitted, 6),
        (CrashPoint.WatermarkWritten, 1), (CrashPoint.WatermarkWritten, 2), (CrashPoint.WatermarkWritten, 6),
    ]);

    [Theory, MemberData(nameof(Steps))]
    public Task a_restart_behind_any_step_of_capture_changes_nothing(CrashPoint point, int occurrence) =>
        ARestartChangesNothingAsync((point, occurrence));

    [Fact]
    public Task crashes_while_crashes_are_made_up_for_change_nothing() => CrashesWhileCrashesAreMadeUpForChangeNothingAsync();
}

public sealed class KafkaToLakeRestartTests(PostgresServer postgres, KafkaServer kafka) : RestartTests(postgres, kafka)
{
    public static TheoryData<CrashPoint, int> Steps => new(
    [
        (CrashPoint.DataFileWritten, 1), (CrashPoint.DataFileWritten, 4),
        (CrashPoint.DataFileSynced, 1), (CrashPoint.DataFileSynced, 4),
        (CrashPoint.CommitCreated, 1), (CrashPoint.CommitCreated, 2), (CrashPoint.CommitCreated, 4),
        (CrashPoint.DataFileRenamed, 1), (CrashPoint.DataFileRenamed, 2), (CrashPoint.DataFileRenamed, 4),
        (CrashPoint.DirectorySynced, 1), (CrashPoint.DirectorySynced, 2),
    ]);

    [Theory, MemberData(nameof(Steps))]
    public Task a_restart_behind_any_step_of_storing_changes_nothing(CrashPoint point, int occurrence) =>
        ARestartChangesNothingAsync((point, occurrence));

    [Theory, InlineData(CrashPoint.CommitCreated), InlineData(CrashPoint.DataFileRenamed)]
    public Task a_crash_while_a_commit_is_rolled_forward_changes_nothing(CrashPoint first) =>
        ARestartChangesNothingAsync((first, 1), (CrashPoint.RollForwardBegun, 1), (CrashPoint.DataFileRenamed, 1), (CrashPoint.RollForwardBegun, 1));
}
