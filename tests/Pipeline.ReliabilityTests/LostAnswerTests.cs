using Confluent.Kafka;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// A step is done and says that it failed: the half goes on by its own retries, in the same process, and what comes of it is the same.
/// </summary>
public abstract class LostAnswerTests(PostgresServer postgres, KafkaServer kafka)
{
    private protected static readonly Error TimedOut = new(ErrorCode.Local_TimedOut, "the answer was lost");

    private protected Task ChangesNothingAsync(CrashPoint step) =>
        ChangesNothingAsync(step, IsKafkas(step) ? new KafkaException(TimedOut) : Lost());

    private protected async Task ChangesNothingAsync(CrashPoint step, Exception failure)
    {
        await using var stream = await CreateAsync();
        var seen = 0;
        // The first time, and another time when the half is at work again.
        await GoesOnAsync(stream, point => point == step && ++seen is 1 or 3 ? failure : null);
        Assert.True(seen > 0, $"{step} was not reached");
    }

    private protected virtual bool IsByFrames => false;

    private protected async Task<TestStream> CreateAsync()
    {
        var stream = await (IsByFrames ? CrashStream.CreateByFramesAsync(postgres, kafka) : CrashStream.CreateAsync(postgres, kafka));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 60) i");
        return stream;
    }

    private protected async Task GoesOnAsync(TestStream stream, Func<CrashPoint, Exception?> failure)
    {
        var gate = new Lock();
        Assert.True(await CrashStream.OnceAsync(stream, point =>
        {
            Exception? lost;
            lock (gate) lost = failure(point);
            if (lost is not null) throw lost;
        }));
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(60, stream.Lake.Count());
        if (!IsByFrames) Assert.Equal(60, stream.Dump().Records.Count);
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    private protected static bool IsKafkas(CrashPoint step) =>
        step is CrashPoint.PageProduced or CrashPoint.PageCommitted or CrashPoint.OffsetsStored;

    private protected static IOException Lost() => new("the answer was lost");
}

/// <summary>In the capturing half.</summary>
public sealed class LostAnswerInCaptureTests(PostgresServer postgres, KafkaServer kafka) : LostAnswerTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.Capture), MemberType = typeof(Steps))]
    public Task a_step_that_was_done_and_reported_failed_changes_nothing(CrashPoint step) => ChangesNothingAsync(step);

    /// <summary>The client thinks that the transaction must be aborted, and it is committed.</summary>
    [Fact]
    public Task a_commit_that_was_done_and_asks_to_be_aborted_changes_nothing() =>
        ChangesNothingAsync(CrashPoint.PageCommitted, new KafkaTxnRequiresAbortException(TimedOut));
}

/// <summary>In the capturing half, without transactions: the topic may have a page again, and the lake has it once.</summary>
public sealed class LostAnswerByFramesTests(PostgresServer postgres, KafkaServer kafka) : LostAnswerTests(postgres, kafka)
{
    private protected override bool IsByFrames => true;

    public static TheoryData<CrashPoint> Taken => [.. Steps.Capture.Where(s => s != CrashPoint.PageCommitted)];

    [Theory, MemberData(nameof(Taken))]
    public Task a_step_that_was_done_and_reported_failed_changes_nothing(CrashPoint step) => ChangesNothingAsync(step);
}

/// <summary>In the storing half.</summary>
public sealed class LostAnswerInStorageTests(PostgresServer postgres, KafkaServer kafka) : LostAnswerTests(postgres, kafka)
{
    [Theory, MemberData(nameof(Steps.FirstStorage), MemberType = typeof(Steps))]
    public Task a_step_that_was_done_and_reported_failed_changes_nothing(CrashPoint step) => ChangesNothingAsync(step);

    /// <summary>The rename was done, and so a second attempt finds the file that it should rename gone.</summary>
    [Fact]
    public Task a_rename_that_was_done_and_finds_nothing_changes_nothing() =>
        ChangesNothingAsync(CrashPoint.DataFileRenamed, new FileNotFoundException("the answer was lost"));
}

/// <summary>In both halves, one after the other.</summary>
public sealed class LostAnswerAfterLostAnswerTests(PostgresServer postgres, KafkaServer kafka) : LostAnswerTests(postgres, kafka)
{
    /// <summary>What a step does when the one after it was reported failed is reported failed too: recovery itself loses answers.</summary>
    [Fact]
    public async Task answers_that_are_lost_while_lost_answers_are_made_up_for_change_nothing()
    {
        await using var stream = await CreateAsync();
        var met = new HashSet<CrashPoint>();
        await GoesOnAsync(stream, point => IsKafkas(point) || !met.Add(point) ? null : Lost());
        Assert.Contains(CrashPoint.RollForwardBegun, met);
    }
}
