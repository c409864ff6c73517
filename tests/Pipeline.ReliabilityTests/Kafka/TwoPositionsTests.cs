using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Kafka;

/// <summary>There is more than one watermark file, or an old one: the newest page in the topic decides where capture goes on.</summary>
public sealed class TwoPositionsTests(PostgresServer postgres, KafkaServer kafka)
{
    [Theory, InlineData("transactions"), InlineData("frames")]
    public async Task two_pollers_with_files_of_their_own_that_take_turns_publish_each_row_version_once(string delivery)
    {
        await using var stream = await CreateAsync(delivery);
        for (var turn = 0; turn < 6; turn++)
        {
            await stream.ExecuteAsync(
                $"UPDATE items SET name = 'turn {turn}', updated_at = clock_timestamp() WHERE id % 3 = {turn % 3}");
            await stream.RestartAsync(options => WithFileOf(options, turn % 2));
            // A turn may end in the middle of a window, and one of the pollers sees windows that are empty.
            if (turn % 3 == 1) await stream.Instance.PollOnePageAsync();
            else await stream.DrainAsync();
            if (turn % 2 == 0) await stream.DrainAsync();
            await stream.StoreAsync();
        }
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Between two runs, and under a session that is open: as by a poller that slept, and wrote what it had known.</summary>
    [Theory, InlineData(false, "transactions"), InlineData(true, "transactions"), InlineData(false, "frames"), InlineData(true, "frames")]
    public async Task an_old_watermark_file_in_the_place_of_the_newest_costs_nothing(bool isOpen, string delivery)
    {
        await using var stream = await CreateAsync(delivery);
        var file = Path.Combine(stream.Options.Streaming.LastProcessedTimestampLocation, "watermark.json");
        await stream.DrainAsync();
        var old = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        for (var round = 0; round < 3; round++) await ChangeAsync(stream, round);

        if (!isOpen) await stream.Instance.DisposeAsync();
        await File.WriteAllBytesAsync(file, old, TestContext.Current.CancellationToken);
        if (isOpen) await GoOnAsync(stream);
        await stream.RestartAsync();
        await ChangeAsync(stream, 3);

        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    private async Task<TestStream> CreateAsync(string delivery)
    {
        var stream = await TestStream.CreateAsync(
            postgres, kafka, configure: o => CrashStream.By(delivery, o with { Postgres = o.Postgres with { PageBytes = 2048 } }));
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('x', 50) FROM generate_series(1, 150) i");
        return stream;
    }

    /// <summary>Where rows were still on the way, their position is to be written, and the file is found to be another.</summary>
    private static async Task GoOnAsync(TestStream stream)
    {
        try
        {
            await stream.DrainAsync();
        }
        catch (PipelineException e) when (e.Verdict is { Action: FailureAction.Retry, Kind: "another watermark" })
        {
        }
    }

    private static async Task ChangeAsync(TestStream stream, int round)
    {
        await stream.ExecuteAsync($"UPDATE items SET name = 'round {round}', updated_at = clock_timestamp() WHERE id % 4 = {round}");
        await stream.DrainAsync();
    }

    private static PipelineOptions WithFileOf(PipelineOptions options, int poller)
    {
        var folder = Path.Combine(Path.GetDirectoryName(options.Streaming.CheckpointLocation)!, $"lastprocess-{poller}");
        return options with { Streaming = options.Streaming with { LastProcessedTimestampLocation = folder } };
    }
}
