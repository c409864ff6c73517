using Confluent.Kafka;
using Microsoft.Azure.Functions.Worker;
using OrdersStream.Configuration;
using OrdersStream.Kafka;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// The host's side of the Kafka trigger: it consumes in the app's group, hands over what came within the interval, keeps an offset only
/// after the function has succeeded, and on a failure calls again with the same batch, as the retry attribute says.
/// </summary>
internal sealed class HostLoop(PipelineOptions options, AppWorker worker)
{
    private const int BatchMax = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(50);

    private long delivered;

    /// <summary>Records that the function took.</summary>
    public long Delivered => Interlocked.Read(ref delivered);

    public Task RunAsync(CancellationToken stop) => Task.Run(
        async () =>
        {
            using var consumer = new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
            {
                BootstrapServers = options.Kafka.Brokers, GroupId = options.Kafka.EffectiveGroupId,
                AutoOffsetReset = AutoOffsetReset.Earliest,
                EnableAutoCommit = true, EnableAutoOffsetStore = false, AutoCommitIntervalMs = 200, SessionTimeoutMs = 60_000,
            }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            consumer.Subscribe(options.Kafka.Topic);
            while (!stop.IsCancellationRequested)
            {
                var batch = Collect(consumer, stop);
                if (batch.Count > 0 && await DeliverAsync(batch, stop)) Keep(consumer, batch);
            }
            consumer.Close();
        },
        CancellationToken.None);

    private static List<ConsumeResult<byte[], byte[]>> Collect(IConsumer<byte[], byte[]> consumer, CancellationToken stop)
    {
        var batch = new List<ConsumeResult<byte[], byte[]>>();
        for (var begun = TimeProvider.System.GetTimestamp(); batch.Count < BatchMax && !stop.IsCancellationRequested;)
        {
            var rest = Interval - TimeProvider.System.GetElapsedTime(begun);
            if (rest <= TimeSpan.Zero) break;
            if (consumer.Consume(rest) is { } result) batch.Add(result);
        }
        return batch;
    }

    private async Task<bool> DeliverAsync(List<ConsumeResult<byte[], byte[]>> batch, CancellationToken stop)
    {
        KafkaRecord[] records = [.. batch.Select(r => Deliveries.ToHost(StreamRecord.From(r)))];
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await worker.DeliverAsync(records, stop);
                Interlocked.Add(ref delivered, records.Length);
                return true;
            }
            catch (Exception) when (!stop.IsCancellationRequested)
            {
                await Task.Delay(RetryDelay, CancellationToken.None);
            }
            catch (Exception)
            {
                return false;
            }
        }
        return false;
    }

    private static void Keep(IConsumer<byte[], byte[]> consumer, List<ConsumeResult<byte[], byte[]>> batch)
    {
        foreach (var last in batch.GroupBy(r => r.Partition).Select(p => p.Last()))
        {
            try
            {
                consumer.StoreOffset(last);
            }
            catch (KafkaException)
            {
                // The partition went to another instance meanwhile.
            }
        }
    }
}
