using OrdersStream.LocalHost.Terminal;
using OrdersStream.Status;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>What another process can tell of one that runs, that is stopped in its tracks, or that is gone.</summary>
public sealed class StatusOfProcessesTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_process_that_is_killed_is_missed_at_once_and_who_is_started_instead_is_seen()
    {
        await using var stream = await CreateAsync();
        await InsertAsync(stream, 1, 30);
        using (var run = LocalHostProcess.Start(stream.Options, ["run"]))
        {
            await UntilAsync(stream, Health.Well, HalfState.Running, HalfState.Running);
            await run.KillAsync();
        }
        // The server notices a moment later, and a lock is a sign of somebody at work.
        await stream.UntilNobodyPollsAsync();
        await InsertAsync(stream, 31, 60);

        using (var status = LocalHostProcess.Start(stream.Options, ["status"]))
        {
            var ended = await status.EndAsync();
            Assert.True(ended.ExitCode == 1, ended.Output);
            Assert.Contains("PostgresToKafka  DOES NOT RUN: nobody runs it: LocalHost, process", ended.Output);
        }
        // As the line says; and the one without the other stores nothing.
        using (LocalHostProcess.Start(stream.Options, ["run", "--only", "postgres-to-kafka"]))
        {
            await stream.UntilAsync(() => stream.Dump().Records.Count == 60, null, () => "not all rows are in the topic");
            await UntilAsync(stream, Health.Wrong, HalfState.Running, HalfState.Nobody);
        }
        using (LocalHostProcess.Start(stream.Options, ["run"]))
        {
            await stream.UntilAsync(() => stream.Lake.Count() == 60, null, () => $"the lake has {stream.Lake.Count()} rows");
            await UntilAsync(stream, Health.Well, HalfState.Running, HalfState.Running);
        }
    }

    [Fact]
    public async Task a_drain_that_is_told_to_end_while_it_cannot_store_says_what_is_left()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs Unix signals");
        await using var stream = await CreateAsync();
        await InsertAsync(stream, 1, 30);
        await stream.PollAndStoreAsync();
        await InsertAsync(stream, 31, 60);
        Directory.Move(stream.Options.Datalake.Path, stream.Options.Datalake.Path + "-away");

        using var run = LocalHostProcess.Start(stream.Options, ["run", "--once"]);
        await run.UntilSaidAsync("The lake's volume went away");
        await run.SignalAsync("TERM");
        var (exitCode, output) = await run.EndAsync();

        Assert.True(exitCode == ExitCode.NotAllDone, output);
        Assert.DoesNotContain("all that was there is done", output, StringComparison.Ordinal);
        Assert.Contains("stopping: asked to, before all was done: ", output, StringComparison.Ordinal);
    }

    private Task<TestStream> CreateAsync() => TestStream.CreateAsync(
        postgres, kafka, configure: o => o with { Streaming = o.Streaming with { BatchInterval = 1 }, Status = new() { LagMax = 600 } });

    private static async Task UntilAsync(TestStream stream, Health health, HalfState capture, HalfState store)
    {
        var last = "nothing was read";
        await Waiting.UntilAsync(IsSoAsync, null, () => last);

        async Task<bool> IsSoAsync()
        {
            await using var observer = stream.NewRun();
            var status = await observer.Stream.Status.ReadAsync(Cancellation);
            last = $"{status.Health}: {string.Join(" | ", status.Halves)}, {string.Join(" | ", status.Problems)}";
            return status.Health == health && (status.Halves[0].State, status.Halves[1].State) == (capture, store);
        }
    }

    private static Task InsertAsync(TestStream stream, int from, int to) =>
        stream.ExecuteAsync($"INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series({from}, {to}) i");
}
