using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Store;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Deliveries as the host makes them: the lake holds each record once at the end of each.</summary>
public sealed class DeliveryTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task one_batch_mixes_partitions_and_is_delivered_again()
    {
        await using var app = await CapturedAsync(300);
        var worker = app.NewWorker();
        var batch = Deliveries.Mixed(app.Records());
        Assert.True(batch.Take(4).Select(r => r.Partition).Distinct().Count() > 1);

        await worker.DeliverAsync(batch, Cancellation);
        await worker.DeliverAsync(batch, Cancellation);
        await app.NewWorker().DeliverAsync(batch, Cancellation);

        await app.Stream.LakeShouldEqualTableAsync();
        Assert.Equal([3001, 3011, 3011], app.Stream.Log.Lines.Select(l => l.Id).Where(id => id is 3001 or 3011));
    }

    [Fact]
    public async Task batches_may_be_of_one_record()
    {
        await using var app = await CapturedAsync(30);
        var worker = app.NewWorker();
        foreach (var record in Deliveries.Mixed(app.Records())) await worker.DeliverAsync([record], Cancellation);
        await worker.DeliverAsync([], Cancellation);
        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_record_without_key_or_value_goes_to_quarantine_and_the_others_are_stored()
    {
        await using var app = await CapturedAsync(20);
        using (var foreign = new ProducerBuilder<byte[], byte[]>(new ProducerConfig { BootstrapServers = kafka.Brokers }).Build())
        {
            var partition = new TopicPartition(app.Options.Kafka.Topic, 0);
            await foreign.ProduceAsync(partition, new Message<byte[], byte[]> { Key = "k"u8.ToArray(), Value = null! }, Cancellation);
            await foreign.ProduceAsync(partition, new Message<byte[], byte[]> { Key = null!, Value = "{}"u8.ToArray() }, Cancellation);
        }
        await app.InsertAsync(101, 20);
        await app.NewWorker().TickAsync(Cancellation);
        var records = app.Records();
        Assert.Equal((1, 1), (records.Count(r => r.Key is null), records.Count(r => r.Value is null)));

        var worker = app.NewWorker();
        await worker.DeliverAsync(records, Cancellation);
        await worker.DeliverAsync(records, Cancellation);

        await app.Stream.NewestShouldEqualTableAsync();
        Assert.Equal(40, app.Stream.Lake.Count());
        var lines = Directory.EnumerateFiles(Path.Combine(app.Options.Datalake.Path, "_quarantine"), "*.jsonl")
            .SelectMany(File.ReadAllLines).ToList();
        Assert.Equal(2, lines.Count);
        Assert.Contains(lines, l => l.Contains("no value", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("no key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task a_batch_that_the_host_gave_up_is_stored_with_the_next_one()
    {
        await using var app = await CapturedAsync(100);
        var records = app.Records();
        var worker = app.NewWorker();
        await worker.DeliverAsync([.. records.GroupBy(r => r.Partition).SelectMany(p => p.Take(5))], Cancellation);

        // As when a host ran out of retries: it goes on behind the batch that failed.
        await worker.DeliverAsync([.. records.GroupBy(r => r.Partition).Select(p => p.Last())], Cancellation);

        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Theory]
    [InlineData(CrashPoint.DataFileSynced)]
    [InlineData(CrashPoint.CommitCreated)]
    [InlineData(CrashPoint.DataFileRenamed)]
    public async Task a_worker_that_is_killed_in_mid_batch_leaves_nothing_for_the_next_to_lose_or_double(CrashPoint point)
    {
        kafka.RequireReal("a worker in another process");
        await using var app = await CapturedAsync(120);
        using (var killed = await WorkerProcess.HaltedAtAsync(point, stores: true, app)) await killed.KillAsync();
        Assert.Equal(point == CrashPoint.DataFileRenamed, app.Stream.Lake.Files.Count > 0);

        await app.NewWorker().DeliverAsync(app.Records(), Cancellation);

        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_delivery_that_fails_on_the_disk_reaches_the_host_each_time_and_is_told_once()
    {
        await using var app = await CapturedAsync(50);
        var records = app.Records();
        var isBroken = true;
        var worker = app.NewWorker(point => { if (isBroken && point == CrashPoint.DataFileWritten) throw new IOException("broken"); });

        for (var attempt = 0; attempt < 3; attempt++)
            await Assert.ThrowsAnyAsync<IOException>(() => worker.DeliverAsync(records, Cancellation));
        var trouble = Assert.Single(worker.Journal.Recent);
        Assert.Equal((nameof(KafkaToLake), FailureAction.Retry, 3, false), (trouble.Half, trouble.Action, trouble.Times, trouble.Over));
        isBroken = false;
        await worker.DeliverAsync(records, Cancellation);
        await worker.DeliverAsync(records, Cancellation);

        await app.Stream.LakeShouldEqualTableAsync();
        Assert.True(Assert.Single(worker.Journal.Recent).Over);
        Assert.Equal([9002, 9003], app.Stream.Log.Lines.Select(l => l.Id).Where(id => id is >= 9002 and <= 9004));
    }

    [Fact]
    public async Task a_delivery_that_the_host_breaks_off_fails_and_says_nothing_of_the_half()
    {
        await using var app = await CapturedAsync(50);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var worker = app.NewWorker(point => { if (point == CrashPoint.DataFileWritten) stop.Cancel(); });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => worker.DeliverAsync(app.Records(), stop.Token));

        Assert.Empty(worker.Journal.Recent);
        Assert.DoesNotContain(app.Ids(LogLevel.Warning), id => id >= 9000);
        await worker.DeliverAsync(app.Records(), Cancellation);
        await app.Stream.LakeShouldEqualTableAsync();
    }

    /// <summary>Rows, and one tick that published them.</summary>
    private async Task<AppStream> CapturedAsync(int rows)
    {
        var app = await AppStream.CreateAsync(postgres, kafka, rows);
        await using (var worker = app.NewWorker()) await worker.TickAsync(Cancellation);
        // The server ends a session a moment after it was closed.
        await app.Stream.UntilNobodyPollsAsync();
        return app;
    }
}
