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
/// The storing half's own time per record on the way that a functions host takes, beside that of LocalHost: the same records, already
/// received, in the same batches, in this process, in turn. What receives them is another's, and not in it.
/// </summary>
internal sealed class FunctionsPath(BenchmarkStream stream, IReadOnlyList<KafkaRecord[]> batches)
{
    private const int BatchRecords = 5_000;
    private const string Schemas = "schemas";
    private const string Functions = "functions", LocalHost = "LocalHost";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private sealed record Cost(double WallMicroseconds, double CpuMicroseconds, double Bytes);

    public static Task<int> RunAsync(FunctionsOptions options, CancellationToken cancellationToken) =>
        Workplace.ReportAsync(options.Command, options.JsonFile, async (place, source, report) =>
        {
            await source.FillAsync(options.Rows, cancellationToken);
            await using var stream = place.NewStream(source);
            using (var child = place.Host.Run(stream, "--once", "--only", "postgres-to-kafka")) await child.EndAsync(cancellationToken);
            report.Notes.Add(
                $"{options.Rows:N0} records in batches of {BatchRecords:N0} of one partition, each committed; {place.Servers.BrokerNote}");
            Add(
                report,
                await new FunctionsPath(stream, ReadBatches(stream.Options)).MeasureAsync(options.Runs, place.Progress, cancellationToken));
        }, cancellationToken);

    private async Task<Dictionary<string, List<Cost>>> MeasureAsync(int runs, Progress progress, CancellationToken cancellationToken)
    {
        var costs = new Dictionary<string, List<Cost>> { [Functions] = [], [LocalHost] = [] };
        // The first of each is for the compiler.
        for (var run = 0; run <= runs; run++)
            foreach (var (name, taken) in costs)
            {
                progress.Say($"run {run} of {runs}: {name}");
                var cost = await StoreAllAsync(name == Functions ? StoreAsFunctionAsync : StoreAsLocalHostAsync, cancellationToken);
                if (run > 0) taken.Add(cost);
            }
        return costs;
    }

    private static void Add(Report report, Dictionary<string, List<Cost>> costs)
    {
        foreach (var name in costs.Keys)
        {
            AddOne(name, "us of CPU a record", "0.00", c => c.CpuMicroseconds, isCompared: true);
            AddOne(name, "us a record", "0.00", c => c.WallMicroseconds, isCompared: true);
            AddOne(name, "bytes allocated a record", "0", c => c.Bytes, isCompared: false);
        }

        void AddOne(string name, string figure, string format, Func<Cost, double> of, bool isCompared)
        {
            isCompared &= name == Functions;
            report.Add(
                name, figure, format, Figure.Of(costs[name].Select(c => (double?)of(c))), isCompared
                    ? Ratio(of) : null, isCompared ? Target.AtMost(1.1) : null);
        }

        Share Ratio(Func<Cost, double> of) =>
            new(LocalHost, Figure.Of(costs[Functions].Zip(costs[LocalHost], (f, l) => (double?)(of(f) / of(l))))!);
    }

    private static Task StoreAsFunctionAsync(
        KafkaToLake lake, LakeBatch batch, KafkaRecord[] records, CancellationToken cancellationToken) =>
        lake.StoreAsync(new KafkaRecords(records), cancellationToken);

    private static async Task StoreAsLocalHostAsync(
        KafkaToLake lake, LakeBatch batch, KafkaRecord[] records, CancellationToken cancellationToken)
    {
        var ours = new KafkaRecords(records);
        for (var i = 0; i < records.Length; i++)
        {
            var r = records[i];
            if (r.Headers.Length > 0 || !batch.TryAdd(r.Partition, r.Offset, 0, r.Key, r.Value))
                await batch.AddAsync(ours[i], cancellationToken);
        }
        await batch.CommitAsync(cancellationToken);
    }

    /// <summary>Everything into a lake of its own.</summary>
    private async Task<Cost> StoreAllAsync(
        Func<KafkaToLake, LakeBatch, KafkaRecord[], CancellationToken, Task> storeAsync, CancellationToken cancellationToken)
    {
        using var folder = new TestFolder("bench");
        var options = stream.Options with
        {
            Datalake = stream.Options.Datalake with { Path = folder.PathOf("lake") },
            Streaming = stream.Options.Streaming with { CheckpointLocation = folder.PathOf("checkpoint") },
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
                Topic = kafka.Topic, Partition = result.Partition.Value, Offset = result.Offset.Value, Key = result.Message.Key,
                Value = result.Message.Value,
                Timestamp = new() { UnixTimestampMs = result.Message.Timestamp.UnixTimestampMs },
                Headers = [.. (result.Message.Headers ?? []).Select(h => new KafkaHeader { Key = h.Key, Value = h.GetValueBytes() })],
            });
        }
        return [.. records.GroupBy(r => r.Partition).SelectMany(partition => partition.Chunk(BatchRecords))];
    }
}
