using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.TestKit;

namespace OrdersStream.ReliabilityTests.Soak;

/// <summary>
/// Invariants 1 to 5 under everything at once: for SOAK_SECONDS (40), with each delivery, rows come and faults strike as SOAK_SEED
/// decides; then all is left in peace, and the lake is the table. The seed repeats what is chosen, not the moment at which it happens.
/// </summary>
public sealed class SoakTests(FaultyServers servers, ITestOutputHelper output) : IClassFixture<FaultyServers>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("transactions")]
    [InlineData("frames")]
    public async Task whatever_fails_in_whatever_order_nothing_is_lost_and_nothing_comes_twice(string delivery)
    {
        var seconds = Number("SOAK_SECONDS", 40);
        var seed = Number("SOAK_SEED", Random.Shared.Next(1_000_000));
        output.WriteLine($"SOAK_SEED={seed} SOAK_SECONDS={seconds}");
        var stream = await servers.CreateStreamAsync(
            Traffic.Ddl, options => Small(options) with { Kafka = options.Kafka with { Delivery = delivery } });
        var failed = true;
        try
        {
            await SoakAsync(stream, seconds, seed);
            failed = false;
        }
        finally
        {
            await DisposeAsync(stream, failed);
        }
    }

    private async Task SoakAsync(TestStream stream, int seconds, int seed)
    {
        using var instances = new Instances(stream.Options);
        await using var traffic = new Traffic(stream.Database, seed);

        var begun = TimeProvider.System.GetTimestamp();
        for (var number = 0; number < Instances.Count; number++) instances.Start(number);
        traffic.Begin();
        await UntilProgressAsync(stream, instances, "the start");
        var faults = new Faults(servers, stream, instances, new Random(seed));
        await DisturbAsync(
            faults, stream, instances, new Random(seed), () => TimeProvider.System.GetElapsedTime(begun).TotalSeconds < seconds);
        await traffic.EndAsync();

        await UntilDrainedAsync(stream, instances);
        for (var number = 0; number < Instances.Count; number++) await instances.TerminateAsync(number);
        await NoTemporaryFileStaysAsync(stream, instances);
        await stream.LakeShouldEqualTableAsync(faults.ServerStarts);
        var topic = stream.Dump();
        // Without transactions the topic may have pages that count for nobody.
        if (stream.Options.Kafka.IsTransactional)
            Assert.Equal(topic.Records.Select(r => (r.Partition, r.Offset)).Order(), stream.Lake.Positions().Order());
        Assert.Empty(stream.Lake.QuarantineLines);
        var rows = await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items");
        output.WriteLine(
            $"seed {seed}, {TimeProvider.System.GetElapsedTime(begun).TotalSeconds:0} s, "
            + $"{traffic.Committed} transactions, {rows} rows, {topic.Records.Count} versions, "
            + $"faults: {string.Join(", ", faults.Struck.Select(f => $"{f.Value} x {f.Key}"))}, "
                + $"{instances.DiedAtPoint} x died at a crash point; lost 0, twice 0");
    }

    /// <summary>
    /// A soak that failed may leave a server that cannot be tidied up: that is told, and its own failure stays the one that is reported.
    /// </summary>
    private async Task DisposeAsync(TestStream stream, bool failed)
    {
        try
        {
            await stream.DisposeAsync();
        }
        catch (Exception e) when (failed)
        {
            output.WriteLine($"the stream was not disposed of: {e.Message}");
        }
    }

    /// <summary>
    /// One fault after the other. After half of them the stream is seen to go on before the next one comes; the others find it as it is.
    /// </summary>
    private async Task DisturbAsync(Faults faults, TestStream stream, Instances instances, Random random, Func<bool> goesOn)
    {
        while (goesOn())
        {
            var fault = await faults.StrikeAsync();
            output.WriteLine($"{TimeProvider.System.GetUtcNow():HH:mm:ss} {fault}");
            if (random.Next(2) == 0) await UntilProgressAsync(stream, instances, fault);
            else await Task.Delay(random.Next(3_000), Cancellation);
        }
    }

    private static async Task UntilProgressAsync(TestStream stream, Instances instances, string fault)
    {
        var before = stream.Lake.Files.Count;
        await UntilAsync(
            stream, () => stream.Lake.Files.Count > before, instances, () => $"after {fault} the lake stays at {before} files");
    }

    /// <summary>Until what is in the table is in the topic, and what is in the topic in the lake.</summary>
    private static async Task UntilDrainedAsync(TestStream stream, Instances instances)
    {
        var last = await stream.Database.ScalarAsync<long>("INSERT INTO items (name) VALUES ('the last one') RETURNING id");
        await UntilAsync(
            stream, () => stream.Lake.Rows($"SELECT 1 FROM {stream.Lake.Source} WHERE id = {last}").Count > 0, instances,
            () =>
                $"row {last}, the last one, is not in the lake, which has {stream.Lake.Count()} of the {stream.Dump().Records.Count} "
                + "records in the topic");
        if (!stream.Options.Kafka.IsTransactional) return;
        var records = stream.Dump().Records.Count;
        await UntilAsync(
            stream, () => stream.Lake.Count() >= records, instances, () => $"the lake has {stream.Lake.Count()} of {records} records");
    }

    /// <summary>What killed writers left goes when it is a day old, and nothing that is in the lake goes with it.</summary>
    private static async Task NoTemporaryFileStaysAsync(TestStream stream, Instances instances)
    {
        foreach (var file in Faults.TemporaryFiles(stream))
            File.SetLastWriteTimeUtc(file, TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(-2));
        await stream.ExecuteAsync("UPDATE items SET name = 'swept', updated_at = clock_timestamp() WHERE name = 'the last one'");
        await instances.OnceAsync();
        Assert.Empty(Faults.TemporaryFiles(stream));
    }

    /// <summary>For as long as the instances that are tended make progress; their last words are told where they do not.</summary>
    private static async Task UntilAsync(TestStream stream, Func<bool> condition, Instances instances, Func<string> actual)
    {
        try
        {
            await stream.UntilAsync(IsSo, running: null, actual);
        }
        catch (TimeoutException e)
        {
            Assert.Fail($"{e.Message}\n{await instances.LastWordsAsync()}");
        }

        bool IsSo()
        {
            if (condition()) return true;
            instances.Tend();
            return false;
        }
    }

    // Pages and files of a few dozen rows: each step is crossed many times.
    private static PipelineOptions Small(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { PageBytes = 8 * 1024, SlackSeconds = 10 },
        Datalake = options.Datalake with { FileBytes = 16 * 1024 },
    };

    private static int Number(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
