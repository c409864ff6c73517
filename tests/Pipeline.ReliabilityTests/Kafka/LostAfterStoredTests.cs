using Microsoft.Extensions.Logging;
using OrdersStream.Hosting.Loops;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>
/// The brokers lose the end of the log after the lake stored it, and write on: new records have offsets that the lake has of others.
/// </summary>
public sealed class LostAfterStoredTests(PostgresServer postgres, PutBackBroker broker) : IClassFixture<PutBackBroker>
{
    /// <summary>The end of the log once capture has gone on, against where it was.</summary>
    public enum NewEnd { Higher, Equal, Lower }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData(NewEnd.Higher, "transactions"), InlineData(NewEnd.Equal, "transactions"), InlineData(NewEnd.Lower, "transactions")]
    [InlineData(NewEnd.Lower, "frames")]
    public async Task a_storer_that_is_started_again_takes_no_new_record_for_an_old_one(NewEnd end, string delivery)
    {
        await using var stream = await broker.CreateAsync(postgres, o => CrashStream.By(delivery, o));
        await WriteOnAsync(stream, end, () => stream.StoreAsync());
        await stream.Instance.DisposeAsync();

        await using var run = stream.NewRun();
        Assert.True(await run.OnceAsync(PipelineHalf.KafkaToLake, Cancellation));

        await stream.NewestShouldEqualTableAsync();
        ShouldStandBesideWhatWasLost(stream);
    }

    [Theory, InlineData(NewEnd.Higher, "transactions"), InlineData(NewEnd.Equal, "transactions"), InlineData(NewEnd.Lower, "transactions")]
    [InlineData(NewEnd.Higher, "frames")]
    public async Task a_storer_that_lived_through_it_takes_no_new_record_for_an_old_one(NewEnd end, string delivery)
    {
        await using var stream = await broker.CreateAsync(postgres, o => CrashStream.By(delivery, o));
        await using var run = stream.NewRun();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var storing = run.UntilStoppedAsync(PipelineHalf.KafkaToLake, null, stop.Token, Cancellation);
        try
        {
            await WriteOnAsync(stream, end, () => PutBackBroker.UntilLakeEqualsTableAsync(stream, storing));
            await PutBackBroker.UntilLakeEqualsTableAsync(stream, storing);
        }
        finally
        {
            await stop.CancelAsync();
            await storing.WithPatienceAsync("the storer");
        }
        ShouldStandBesideWhatWasLost(stream);
        Assert.DoesNotContain(stream.Log.Lines, line => line.Level >= LogLevel.Error);
    }

    /// <summary>A trigger goes on where it was: in the middle of what is new.</summary>
    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task a_trigger_that_goes_on_where_it_was_passes_no_new_record_over(string delivery)
    {
        await using var stream = await broker.CreateAsync(postgres, o => CrashStream.By(delivery, o));
        await WriteOnAsync(stream, NewEnd.Higher, () => stream.StoreAsync());

        await PutBackBroker.DeliverAsync(stream, stream.TakeNewRecords());

        await stream.NewestShouldEqualTableAsync();
        ShouldStandBesideWhatWasLost(stream);
    }

    /// <summary>The same where all that is new there is one page, whose beginning lies below.</summary>
    [Fact]
    public async Task a_trigger_that_goes_on_in_the_middle_of_a_page_stores_all_of_it()
    {
        await using var stream = await broker.CreateAsync(
            postgres, options => options with { Postgres = options.Postgres with { PageBytes = 8 * 1024 * 1024 } });
        await broker.LoseAsync(async () =>
        {
            await stream.ExecuteAsync("UPDATE items SET name = 'lost', updated_at = clock_timestamp() WHERE id <= 100");
            await stream.DrainAsync();
            await stream.StoreAsync();
        });
        await PutBackBroker.UpdateAllAsync(stream, "new");
        await using (var capture = stream.NewRun())
        {
            await stream.EndPollersSessionsAsync();
            await PutBackBroker.CaptureAsync(capture);
        }

        await PutBackBroker.DeliverAsync(stream, stream.TakeNewRecords());

        await stream.NewestShouldEqualTableAsync();
        ShouldStandBesideWhatWasLost(stream);
    }

    /// <summary>A trigger whose group lost its offsets too begins anew; the app lived through it, or was started again.</summary>
    [Theory, InlineData(NewEnd.Higher, false), InlineData(NewEnd.Equal, true), InlineData(NewEnd.Lower, false)]
    public async Task a_trigger_that_begins_anew_stores_what_is_new(NewEnd end, bool restarts)
    {
        await using var stream = await broker.CreateAsync(postgres);
        await WriteOnAsync(stream, end, () => stream.StoreAsync());
        if (restarts) await stream.RestartAsync();

        foreach (var batch in stream.Dump().Records.Chunk(170)) await PutBackBroker.DeliverAsync(stream, batch);

        await stream.NewestShouldEqualTableAsync();
        ShouldStandBesideWhatWasLost(stream);
    }

    /// <summary>Captures and stores what is lost then, and captures again until the end of the log is where it is to be.</summary>
    private async Task WriteOnAsync(TestStream stream, NewEnd end, Func<Task> storeAsync)
    {
        IReadOnlyList<long> lost = [];
        await using (var capture = stream.NewRun())
        {
            await PutBackBroker.CaptureAsync(capture);
            await broker.LoseAsync(async () =>
            {
                for (var round = 0; round < (end == NewEnd.Lower ? 2 : 1); round++)
                {
                    await PutBackBroker.UpdateAllAsync(stream, $"lost {round}");
                    await PutBackBroker.CaptureAsync(capture);
                }
                await storeAsync();
                lost = await PutBackBroker.EndsAsync(stream);
            });
            for (var round = 0; round < (end == NewEnd.Higher ? 3 : 0); round++)
            {
                await PutBackBroker.UpdateAllAsync(stream, $"new {round}");
                await PutBackBroker.CaptureAsync(capture);
            }
        }
        await stream.UntilNobodyPollsAsync();
        // Within the rows that are captured again, so that the log grows no longer by it.
        await stream.ExecuteAsync("UPDATE items SET name = 'newest' || repeat('x', 100), updated_at = clock_timestamp() WHERE id % 5 = 0");
        await using (var capture = stream.NewRun()) await PutBackBroker.CaptureAsync(capture);
        var ends = await PutBackBroker.EndsAsync(stream);
        Assert.All(ends.Zip(lost), x => Assert.Equal((int)end, 1 - Math.Sign(x.First - x.Second)));
    }

    private static void ShouldStandBesideWhatWasLost(TestStream stream) =>
        Assert.Contains(stream.Lake.Files, file => Path.GetFileName(file).Contains("g1-", StringComparison.Ordinal));
}
