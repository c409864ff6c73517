using System.Text.Json;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.IntegrationTests;

/// <summary>In one transaction a page.</summary>
public sealed class LargeRowTests(PostgresServer postgres, KafkaServer kafka) : LargeRows(postgres, kafka, "transactions");

/// <summary>The same without transactions, where a client goes on behind what a broker refuses.</summary>
public sealed class LargeRowByFramesTests(PostgresServer postgres, KafkaServer kafka) : LargeRows(postgres, kafka, "frames");

/// <summary>Rows that a record of the topic cannot carry: each remedy that a message names is followed to its end.</summary>
public abstract class LargeRows(PostgresServer postgres, KafkaServer kafka, string delivery)
{
    private const string MoreSmallOnes = "INSERT INTO items (id, name) SELECT i, 'small' FROM generate_series(51, 90) i";
    private const string SmallOnes = "INSERT INTO items (id, name) SELECT i, 'small' FROM generate_series(1, 50) i WHERE i <> 25";
    private const string LargeOne = "INSERT INTO items (id, name) VALUES (25, repeat('b', 20000000))";

    /// <summary>1.6 MB that cannot be compressed to much less.</summary>
    private const string DenseOne =
        "INSERT INTO items (id, name) SELECT 25, string_agg(md5(i::text), '') FROM generate_series(1, 50000) i";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_row_larger_than_the_topic_takes_is_published_once_the_topic_takes_it()
    {
        await using var stream = await CreateAsync();
        await stream.ExecuteAsync(SmallOnes);
        await stream.ExecuteAsync(LargeOne);

        var failure = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Stop, failure.Action);
        Assert.Contains("A row of public.items (its key: \"id\") is too large for a record", failure.Problem);
        Assert.Contains("and the limit is 16,777,216", failure.Problem);
        Assert.DoesNotContain("25", failure.Problem.Replace(stream.Options.Kafka.Topic, "", StringComparison.Ordinal));
        AssertNoRow(stream);

        // The server ends a session a moment after it was closed.
        await stream.UntilNobodyPollsAsync();
        await kafka.FollowAsync(stream.Options.Kafka.Topic, failure.Remedy);
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_that_is_too_large_is_kept_in_a_file_and_all_others_arrive()
    {
        await using var stream = await CreateAsync(Quarantine);
        await stream.ExecuteAsync(SmallOnes);
        await stream.ExecuteAsync(LargeOne);
        await stream.PollAndStoreAsync();
        Assert.Equal((49, 0), (stream.Lake.Count(), stream.TakeNewRecords().Count));

        var kept = JsonDocument.Parse(await File.ReadAllTextAsync(Assert.Single(Kept(stream)), Token)).RootElement;
        Assert.Equal(("public.items", 25), (kept.GetProperty("table").GetString(), kept.GetProperty("value").GetProperty("id").GetInt32()));
        Assert.Equal(new string('b', 20000000), kept.GetProperty("value").GetProperty("name").GetString());
        var line = Assert.Single(stream.Log.Lines, l => l.Id == 2007);
        Assert.Contains(Kept(stream).Single(), line.Message);
        await using var run = stream.NewRun();
        var status = await run.Stream.Status.ReadAsync(Waiting.LessThanATimeout, Token);
        Assert.Contains(status.Warnings, w => w.StartsWith("1 row version was too large for a record"));

        // A version that fits is published like any other.
        await stream.ExecuteAsync("UPDATE items SET name = 'cut', updated_at = clock_timestamp() WHERE id = 25");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Single(Kept(stream));
    }

    [Fact]
    public async Task a_process_that_ends_behind_the_file_keeps_the_row_once()
    {
        await using var stream = await CreateAsync(Quarantine);
        await stream.ExecuteAsync(SmallOnes);
        await stream.ExecuteAsync(LargeOne);
        stream.OnReached = point =>
        {
            if (point == CrashPoint.LargeRowKept) throw new IOException("crash");
        };
        await Assert.ThrowsAsync<IOException>(stream.PollAsync);
        Assert.Single(Kept(stream));
        AssertNoRow(stream);

        stream.OnReached = null;
        await stream.RestartAsync();
        await stream.PollAndStoreAsync();
        Assert.Single(Kept(stream));
        Assert.Equal(49, stream.Lake.Count());
        stream.Dump().ShouldHoldEachRowVersionOnce();
    }

    [Fact]
    public async Task a_row_that_the_brokers_refuse_though_it_is_compressed_is_found_and_named()
    {
        await using var stream = await CreateAsync(ofTheBrokers: true);
        await stream.ExecuteAsync(SmallOnes);
        await stream.ExecuteAsync(DenseOne);
        await stream.ExecuteAsync(MoreSmallOnes);

        var refusal = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Retry, refusal.Action);
        // Without transactions, those are there that count for nobody.
        if (delivery == "transactions") Assert.Empty(stream.TakeNewRecords());
        await stream.UntilNobodyPollsAsync();
        var failure = await Assert.ThrowsAsync<PipelineException>(stream.PollAsync);
        Assert.Equal(FailureAction.Stop, failure.Action);
        Assert.Contains("and the limit is 1,048,588", failure.Problem);

        await kafka.FollowAsync(stream.Options.Kafka.Topic, failure.Remedy);
        await stream.UntilNobodyPollsAsync();
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_row_that_the_brokers_refuse_does_not_stop_the_others_for_ever()
    {
        await using var stream = await CreateAsync(Quarantine, ofTheBrokers: true);
        await stream.ExecuteAsync(SmallOnes);
        await stream.ExecuteAsync(DenseOne);
        await stream.ExecuteAsync(MoreSmallOnes);
        await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(null, Token));
        Assert.Equal(89, stream.Lake.Count());
        Assert.Single(Kept(stream));
    }

    /// <summary>
    /// The first record of a page has its columns with it, which of a wide table are more than most records have beside a row.
    /// </summary>
    [Fact]
    public async Task a_row_that_the_brokers_refuse_for_what_comes_with_it_does_not_stop_the_others_for_ever()
    {
        await using var stream = await CreateAsync(
            options => Quarantine(options) with { Kafka = options.Kafka with { Delivery = delivery, Compression = "none" } },
            ofTheBrokers: true);
        var columns = Enumerable.Range(1, 150).Select(i => $"ADD COLUMN one_of_the_columns_of_a_wide_table_{i} int");
        await stream.ExecuteAsync($"ALTER TABLE items {string.Join(", ", columns)}; INSERT INTO items (id, name) VALUES (1, '')");
        await stream.PollAsync();
        var record = stream.TakeNewRecords().Last(r => r.Key is not null);
        await stream.RestartAsync();
        const int limit = 1_048_588;
        var name = limit - RecordLimit.Overhead - record.Key!.Length - record.Value!.Length - 100;
        await stream.ExecuteAsync($"INSERT INTO items (id, name) VALUES (25, repeat('b', {name}))");
        await stream.ExecuteAsync(MoreSmallOnes);
        await using (var run = stream.NewRun()) Assert.True(await run.OnceAsync(null, Token));
        Assert.Equal(41, stream.Lake.Count());
        Assert.Single(Kept(stream));
    }

    [Fact]
    public async Task a_row_that_fits_the_topic_because_it_is_compressed_is_published()
    {
        await using var stream = await CreateAsync(ofTheBrokers: true);
        await stream.ExecuteAsync("INSERT INTO items (id, name) VALUES (1, repeat('b', 5000000))");
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task rows_that_are_small_are_published_though_the_topic_takes_no_large_batch(bool isLoweredWhileItRuns)
    {
        await using var stream = await CreateAsync(options => options with { Kafka = options.Kafka with { Compression = "none" } });
        await stream.ExecuteAsync(SmallOnes);
        await stream.PollAsync();
        await kafka.FollowAsync(
            stream.Options.Kafka.Topic, $"({TopicSettings.Alter(stream.Options.Kafka, "max.message.bytes=20000")})");
        if (!isLoweredWhileItRuns) await stream.RestartAsync();
        await stream.ExecuteAsync("INSERT INTO items (id, name) SELECT i, repeat('c', 1000) FROM generate_series(100, 400) i");

        if (isLoweredWhileItRuns) Assert.Equal(FailureAction.Retry, (await Assert.ThrowsAsync<PipelineException>(stream.PollAsync)).Action);
        await stream.UntilNobodyPollsAsync();
        await stream.PollAndStoreAsync();
        await stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Without transactions there are fences, which have no key.</summary>
    private static void AssertNoRow(TestStream stream) => Assert.DoesNotContain(stream.TakeNewRecords(), r => r.Key is not null);

    private static PipelineOptions Quarantine(PipelineOptions options) =>
        options with { Postgres = options.Postgres with { TooLarge = "quarantine" } };

    private static string[] Kept(TestStream stream) =>
        Directory.Exists(TooLargeRows.FolderOf(stream.Options.Streaming))
            ? Directory.GetFiles(TooLargeRows.FolderOf(stream.Options.Streaming)) : [];

    /// <param name="configure">What the stream configures otherwise.</param>
    /// <param name="ofTheBrokers">The topic has been made already, with what brokers have by default: 1 MiB for a batch.</param>
    private async Task<TestStream> CreateAsync(Func<PipelineOptions, PipelineOptions>? configure = null, bool ofTheBrokers = false)
    {
        kafka.RequireReal("the embedded one has no limit");
        var stream = await TestStream.CreateAsync(postgres, kafka, configure: options =>
        {
            var by = options with { Kafka = options.Kafka with { Delivery = delivery } };
            return configure is null ? by : configure(by);
        });
        if (ofTheBrokers) await kafka.CreateTopicAsync(stream.Options.Kafka.Topic);
        return stream;
    }
}
