using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>A delete is neither lost nor newer than a row that came after it, behind whatever step a process ends.</summary>
public sealed class DeletesTests(PostgresServer postgres, KafkaServer kafka)
{
    [Theory, MemberData(nameof(Steps.Deletes), MemberType = typeof(Steps))]
    public async Task a_process_that_ends_behind_a_step_of_capture_loses_no_delete_and_hides_no_row(CrashPoint point)
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka, ddl: TestStream.ItemsAndDeletes);
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 600) i");
        Assert.True(await CrashStream.OnceAsync(stream));

        var ahead = TimeSpan.Zero;
        // Two pages of deletes, then rows; some of the keys are there again when the next process goes on.
        await stream.ExecuteAsync(
            "DELETE FROM items WHERE id <= 500; UPDATE items SET id = -id, updated_at = clock_timestamp() WHERE id > 590");
        if (point == CrashPoint.TombstonesRemoved)
        {
            ahead = TimeSpan.FromHours(25);
            Assert.True(await CrashStream.OnceAsync(stream, ahead: ahead));
            ahead *= 2;
        }
        Assert.True(await EndsAtAsync(stream, point, 1, ahead), $"{point} was not reached");
        await stream.ExecuteAsync(
            "INSERT INTO items (id, name) SELECT i, 'again' FROM generate_series(1, 500, 7) i; DELETE FROM items WHERE id = 8");
        await EndsAtAsync(stream, point, 2, ahead);
        await stream.ExecuteAsync("UPDATE items SET id = -id, updated_at = clock_timestamp() WHERE id < -595");
        Assert.True(await CrashStream.OnceAsync(stream, ahead: ahead));

        await stream.NewestShouldEqualTableAsync();
        Assert.Empty(stream.Lake.QuarantineLines);
    }

    private static async Task<bool> EndsAtAsync(TestStream stream, CrashPoint point, int occurrence, TimeSpan ahead)
    {
        var (seen, crashed) = (0, false);
        await CrashStream.OnceAsync(stream, reached =>
        {
            if (reached != point || Interlocked.Increment(ref seen) != occurrence) return;
            crashed = true;
            throw new CrashException(reached);
        }, ahead);
        return crashed;
    }
}
