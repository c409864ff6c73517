using OrdersStream.Diagnostics;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Disk;

/// <summary>Invariant 6: a volume that goes away under a running process leaves an empty folder, and takes no row with it.</summary>
public sealed class LakeVolumeTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <param name="isIdle">Nothing is there to be stored when it goes.</param>
    [Theory, InlineData(true), InlineData(false)]
    public async Task while_the_lake_is_away_nothing_is_written_in_its_place_and_nothing_is_lost(bool isIdle)
    {
        await using var stream = await CrashStream.CreateAsync(postgres, kafka);
        await InsertAsync(stream, 1, 30);
        await using var run = stream.NewRun();
        using var stop = new CancellationTokenSource();
        var running = run.UntilStoppedAsync(null, null, stop.Token, Cancellation);
        await stream.UntilStoredAsync(30, running);

        var (lake, away) = (stream.Options.Datalake.Path, stream.Options.Datalake.Path + "-away");
        Directory.Move(lake, away);
        Directory.CreateDirectory(lake);
        if (!isIdle) await InsertAsync(stream, 31, 60);
        await stream.UntilAsync(
            () => stream.Log.Warnings.Any(w => w.Contains("The lake's volume went away: ")), running, () => "no warning");
        await NothingIsClaimedAsync(run, isIdle);
        if (isIdle) await InsertAsync(stream, 31, 60);
        await stream.UntilAsync(() => stream.Dump().Records.Count == 60, running, () => "not all rows are in the topic");
        var tries = TriesOf(run);
        await stream.UntilAsync(() => TriesOf(run) > tries, running, () => $"{TriesOf(run)} tries");
        Assert.Empty(Directory.EnumerateFileSystemEntries(lake));

        Directory.Delete(lake);
        Directory.Move(away, lake);
        await stream.UntilStoredAsync(60, running);
        await stream.UntilAsync(() => run.Stream.Failures.Recent.All(f => f.Over), running, () => "it does not work again");
        Assert.Equal(Health.Well, (await run.Stream.Status.ReadAsync(Cancellation)).Health);
        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(60, stream.Lake.Count());
        Assert.Contains(stream.Log.Lines, line => line.Message.StartsWith("KafkaToLake: works again", StringComparison.Ordinal));
    }

    private static async Task NothingIsClaimedAsync(TestRun run, bool isCaughtUp)
    {
        var status = await run.Stream.Status.ReadAsync(Cancellation);
        Assert.Equal((Health.Wrong, false, 0), (status.Health, status.Lake.Reachable, status.Lake.Rows));
        Assert.Contains(status.Problems, p => p.StartsWith("The lake's volume went away: ", StringComparison.Ordinal));
        if (!isCaughtUp) return;
        var e = await Assert.ThrowsAsync<PipelineException>(() => run.Stream.Comparison.CompareAsync(Cancellation));
        Assert.StartsWith("The lake's volume went away: ", e.Problem);
    }

    private static long TriesOf(TestRun run) =>
        run.Stream.Failures.Recent.Where(f => f.Half == "KafkaToLake").Sum(f => (long)f.Times);

    private static Task InsertAsync(TestStream stream, int from, int to) =>
        stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series({from}, {to}) i");
}
