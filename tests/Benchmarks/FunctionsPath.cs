using System.Diagnostics;
using Confluent.Kafka;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;
using OrdersStream.Configuration;
using OrdersStream.FunctionApp;
using OrdersStream.Kafka;
using OrdersStream.Store;
using OrdersStream.TestKit;

namespace OrdersStream.Benchmarks;

/// <summary>What <c>functions</c> was asked to do.</summary>
internal sealed record FunctionsOptions(string Command, int Rows, int Runs, string? JsonFile);

/// <summary>
/// The storing half's own time per record on the way that a functions host takes, beside that of LocalHost: the same records, already received, in the same
/// batches, in this process, in turn. What receives them is another's, and not in it.
/// </summary>
internal sealed class FunctionsPath(BenchmarkStream stream, IReadOnlyList<KafkaRecord[]> batches)
{
    private const int BatchRecords = 5_000;
    private const string Schemas = "schemas";
    private const string Functions = "functions", LocalHost = "LocalHost";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private sealed record Cost(double WallMicroseconds, double CpuMicroseconds, double Bytes);

    public static async Task<int> RunAsync(FunctionsOptions options, CancellationToken cancellationToken)
    {
        var takenAt = TimeProvider.System.GetUtcNow();
        await using var place = await Workplace.OpenAsync(cancellationToken);
        await using var source = await OrdersSource.CreateAsync(place.Servers, cancellationToken);
        await source.FillAsync(options.Rows, cancellationToken);
        await using var stream = place.NewStream(source);
        using (var child = place.Host.Run(stream, "--once", "--only", "postgres-to-kafka")) await child.EndAsync(cancellationToken);
        var path = new FunctionsPath(stream, ReadBatches(stream.Options));

        var costs = new Dictionary<string, List<Cost>> { [Functions] = [], [LocalHost] = [] };
        // The first of each is for the compiler.
        for (var run = 0; run <= options.Runs; run++)
            foreach (var (name, taken) in costs)
            {
                place.Progress.Say($"run {run} of {options.Runs}: {name}");
                var cost = await path.StoreAllAsync(name == Functions ? StoreAsFunctionAsync : StoreAsLocalHostAsync, cancellationToken);
                if (run > 0) taken.Add(cost);
            }

        var report = new Report(options.Command, takenAt);
        report.Notes.Add($"{options.Rows:N0} records in batches of {BatchRecords:N0} of one partition, each committed; {place.Servers.BrokerNote}");
        foreach (var (name, taken) in costs)
        {
            report.Add(name, "us of CPU a record", "0.00", Figure.Of(taken.Select(c => (double?)c.CpuMicroseconds)), name == Functions ? Ratio(c => c.CpuMicroseconds) : null, name == Functions ? Target.AtMost(1.1) : null);
            report.Add(name, "us a record", "0.00", Figure.Of(taken.Select(c => (double?)c.WallMicroseconds)), name == Functions ? Ratio(c => c.WallMicroseconds) : null, name == Functions ? Target.AtMost(1.1) : null);
            report.Add(name, "bytes allocated a record", "0", Figure.Of(taken.Select(c => (double?)c.Bytes)));
        }
        await report.WriteAsync(options.JsonFile, cancellationToken);
        return 0;

        Share Ratio(Func<Cost, double> of) => new(LocalHost, Figure.Of(costs[Functions].Zip(costs[LocalHost], (f, l) => (double?)(of(f) / of(l))))!);
    }

    private static Task StoreAsFunctionAsync(KafkaToLake lake, LakeBatch batch, KafkaRecord[] records, CancellationToken cancellationToken) =>
        lake.StoreAsync(new KafkaRecords(records), cancellationToken);

    private static async Task StoreAsLocalHostAsync(KafkaToLake lake, LakeBatch batch, KafkaRecord[] records, CancellationToken cancellationToken)
    {
        var ours = new KafkaRecords(records);
        for (var i = 0; i < records.Length; i++)
        {
            var r = records[i];
            if (r.Headers.Length > 0 || !batch.TryAdd(r.Partition, r.Offset, r.Value)) await batch.AddAsync(ours[i], cancellationToken);
        }
        await batch.CommitAsync(cancellationToken);
    }

    /// <summary>Everything into a lake of its own.</summary>
    private async Task<Cost> StoreAllAsync(Func<KafkaToLake, LakeBatch, KafkaRecord[], CancellationToken, Task> storeAsync, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("orders-stream-bench-");
        try
        {
            var options = stream.Options with
            {
                Datalake = stream.Options.Datalake with { Path = Path.Combine(folder.FullName, "lake") },
                Streaming = stream.Options.Streaming with { CheckpointLocation = Path.Combine(folder.FullName, "checkpoint") },
            };
            // The lake asks it for the schema that the records name; whoever publishes wrote it.
            var schemas = Directory.CreateDirectory(Path.Combine(options.Streaming.CheckpointLocation, Schemas));
            foreach (var file in Directory.EnumerateFiles(Path.Combine(stream.Options.Streaming.CheckpointLocation, Schemas)))
                File.Copy(file, Path.Combine(schemas.FullName, Path.GetFileName(file)));
            await using var process = TestRun.NewStream(options, TimeProvider.System, NullLoggerProvider.Instance);
            var lake = process.Store;
            var batch = await lake.OpenBatchAsync(cancellationToken);
            GC.Collect();
            var (begun, cpu, bytes) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes());
            foreach (var records in batches) await storeAsync(lake, batch, records, cancellationToken);
            double count = batches.Sum(b => b.Length);
            return new(
                Stopwatch.GetElapsedTime(begun).TotalMicroseconds / count, (Environment.CpuUsage.TotalTime - cpu).TotalMicroseconds / count,
                (GC.GetTotalAllocatedBytes() - bytes) / count);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>As the host hands them over: each batch of one partition, in its order.</summary>
    private static List<KafkaRecord[]> ReadBatches(PipelineOptions options)
    {
        var kafka = options.Kafka;
        using var consumer = new ConsumerBuilder<byte[], byte[]>(KafkaClients.Reader(options, kafka.Topic)).Build();
        consumer.Assign(Enumerable.Range(0, kafka.Partitions).Select(p => new TopicPartitionOffset(kafka.Topic, p, Offset.Beginning)));
        var records = new List<KafkaRecord>();
        for (var ends = 0; ends < kafka.Partitions;)
        {
            var result = consumer.Consume(Patience) ?? throw new BenchmarkException($"no record came for {Patience.TotalSeconds} s");
            if (result.IsPartitionEOF) ends++;
            else records.Add(new()
            {
                Topic = kafka.Topic, Partition = result.Partition.Value, Offset = result.Offset.Value, Key = result.Message.Key, Value = result.Message.Value,
                Timestamp = new() { UnixTimestampMs = result.Message.Timestamp.UnixTimestampMs },
                Headers = [.. (result.Message.Headers ?? []).Select(h => new KafkaHeader { Key = h.Key, Value = h.GetValueBytes() })],
            });
        }
        return [.. records.GroupBy(r => r.Partition).SelectMany(partition => partition.Chunk(BatchRecords))];
    }
}
