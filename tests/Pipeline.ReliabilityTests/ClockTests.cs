using OrdersStream.Durable;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>
/// The clock of the machine that runs the pipeline is set, an hour forward or back: nothing depends on it but what is said.
/// </summary>
public sealed class ClockTests(PostgresServer postgres, KafkaServer kafka)
{
    [Theory, InlineData(1), InlineData(-1)]
    public async Task a_clock_that_jumps_by_more_than_an_hour_loses_nothing(int direction)
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        var clock = new JumpingClock();
        var jump = direction * TimeSpan.FromMinutes(61);
        // Between two steps of each half, too: while a page is out, and while files are written.
        var points = new Queue<CrashPoint>([CrashPoint.PageProduced, CrashPoint.DataFileWritten, CrashPoint.CommitCreated]);
        await using var run = stream.NewRun(time: clock, crashPoints: new CrashPoints(point =>
        {
            lock (points)
                if (points.TryPeek(out var next) && next == point) clock.Jump(points.Dequeue() == CrashPoint.CommitCreated ? -jump : jump);
        }));
        for (var round = 0; round < 4; round++)
        {
            await stream.ExecuteAsync(
                $"INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series({50 * round + 1}, {50 * round + 50}) i");
            await stream.ExecuteAsync("UPDATE items SET name = name || '.', updated_at = clock_timestamp() WHERE id % 5 = 0");
            // There and back, and two rounds at either time: rows come while it is wrong, too.
            if (round % 2 == 0) clock.Jump(round == 0 ? jump : -jump);
            Assert.True(await run.OnceAsync(null, TestContext.Current.CancellationToken));
        }
        Assert.Empty(points);
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Time of day that is set; the stopwatch goes on as it does.</summary>
    private sealed class JumpingClock : TimeProvider
    {
        private long offset;

        public void Jump(TimeSpan by) => Interlocked.Add(ref offset, by.Ticks);

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref offset));
    }
}
