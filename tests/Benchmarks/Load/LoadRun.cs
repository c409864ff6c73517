using System.Diagnostics;
using System.Text.Json;
using OrdersStream.Benchmarks.Limits;
using OrdersStream.Benchmarks.Measuring;
using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks.Load;

/// <summary>
/// One run: ours and the limits in turn, each a process of its own on fresh topics and lakes. What did not arrive whole does not count.
/// </summary>
internal sealed class LoadRun(Workplace place, OrdersSource source, long rows)
{
    public const string ToKafka = "to-kafka";
    public const string ToLake = "to-lake";
    public const string Both = "both at once";

    private readonly List<Measurement> done = [];

    /// <summary>Everything once.</summary>
    public async Task<IReadOnlyList<Measurement>> AllAsync(CancellationToken cancellationToken)
    {
        await using var stream = place.NewStream(source);
        var topic = (stream.Options.Kafka.Brokers, stream.Options.Kafka.Topic, stream.Options.Kafka.Partitions);
        var sample = Path.Combine(place.Folder, "records");

        await LimitAsync(
            new(Limit.Copy, rows) { ConnectionString = source.Reader.ConnectionString, Table = OrdersSource.Table }, cancellationToken);
        await ToKafkaAsync(stream, cancellationToken);
        if (!File.Exists(sample)) SampleRecords.Write(sample, topic.Brokers, topic.Topic, topic.Partitions);
        await using (var produced = place.NewStream(source))
        {
            await produced.CreateTopicAsync(cancellationToken);
            await LimitAsync(
                new(Limit.Produce, rows)
                {
                    Brokers = topic.Brokers, Topic = produced.Options.Kafka.Topic, Partitions = topic.Partitions, File = sample,
                },
                cancellationToken);
        }
        await ToLakeAsync(stream, cancellationToken);
        await LimitAsync(
            new(Limit.Consume, rows) { Brokers = topic.Brokers, Topic = topic.Topic, Partitions = topic.Partitions }, cancellationToken);
        await LimitAsync(new(Limit.Write, rows) { File = Path.Combine(place.Folder, "written.parquet") }, cancellationToken);
        await BothAsync(cancellationToken);
        return done;
    }

    /// <summary>Both halves one after the other on a table of large rows: for their memory.</summary>
    public static async Task<Measurement> LargeRowsAsync(
        Workplace place, OrdersSource source, long rows, CancellationToken cancellationToken)
    {
        var run = new LoadRun(place, source, rows);
        await using var stream = place.NewStream(source, LargeRows.Table);
        var others = place.Servers.Others.Begin();
        using var child = place.Host.Run(stream, "--once");
        var cost = await child.EndAsync(cancellationToken);
        run.Add(
            new(LargeRows.Name, rows, cost.WallSeconds, cost, others.Share()) { Files = await run.FilesAsync(stream, cancellationToken) });
        return run.done[0];
    }

    private async Task ToKafkaAsync(BenchmarkStream stream, CancellationToken cancellationToken)
    {
        var others = place.Servers.Others.Begin();
        using var topic = new TopicLook(stream.Options.Kafka.Brokers, stream.Options.Kafka.Topic, stream.Options.Kafka.Partitions);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var child = place.Host.Run(stream, "--once", "--only", "postgres-to-kafka");
        var first = topic.FirstAsync(child.StartedAt, stop.Token);
        var cost = await child.EndAsync(cancellationToken);
        await stop.CancelAsync();
        Add(new(ToKafka, rows, cost.WallSeconds, cost, others.Share()) { FirstRecordSeconds = await first });
    }

    private async Task ToLakeAsync(BenchmarkStream stream, CancellationToken cancellationToken)
    {
        var others = place.Servers.Others.Begin();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var child = place.Host.Run(stream, "--once", "--only", "kafka-to-lake");
        var first = stream.Lake.FirstAsync(child.StartedAt, stop.Token);
        var cost = await child.EndAsync(cancellationToken);
        await stop.CancelAsync();
        Add(
            new(ToLake, rows, cost.WallSeconds, cost, others.Share())
            {
                FirstFileSeconds = await first, Files = await FilesAsync(stream, cancellationToken),
            });
    }

    private async Task BothAsync(CancellationToken cancellationToken)
    {
        await using var stream = place.NewStream(source);
        var others = place.Servers.Others.Begin();
        using var topic = new TopicLook(stream.Options.Kafka.Brokers, stream.Options.Kafka.Topic, stream.Options.Kafka.Partitions);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var child = place.Host.Run(stream);
        var firstRecord = topic.FirstAsync(child.StartedAt, stop.Token);
        var firstFile = stream.Lake.FirstAsync(child.StartedAt, stop.Token);
        await stream.Lake.UntilAsync(rows, child, cancellationToken);
        var seconds = Stopwatch.GetElapsedTime(child.StartedAt).TotalSeconds;
        child.SendTerm();
        var cost = await child.EndAsync(cancellationToken);
        await stop.CancelAsync();
        Add(new(Both, rows, seconds, cost, others.Share())
        {
            FirstRecordSeconds = await firstRecord, FirstFileSeconds = await firstFile, Files = await FilesAsync(stream, cancellationToken),
        });
    }

    private async Task LimitAsync(LimitTask task, CancellationToken cancellationToken)
    {
        var others = place.Servers.Others.Begin();
        using var child = Child.StartSelf(["limit"], (LimitTask.Variable, task.ToJson()));
        var cost = await child.EndAsync(cancellationToken);
        var result = JsonSerializer.Deserialize<LimitResult>(child.Output[^1])!;
        if (result.Rows != rows || result.Bytes == 0) throw child.Failed($"{result.Rows} rows of {rows} were seen");
        if (task is { Limit: Limit.Write, File: { } file }) File.Delete(file);
        Add(
            new(task.Limit.ToString().ToLowerInvariant(), rows, result.Seconds, cost, others.Share())
            {
                OperationCpuSeconds = result.CpuSeconds,
            });
    }

    /// <summary>The lake's files; they must hold every row once.</summary>
    private async Task<IReadOnlyList<FileSize>> FilesAsync(BenchmarkStream stream, CancellationToken cancellationToken)
    {
        var stored = await stream.Lake.CountAsync(cancellationToken);
        if (stored != rows)
            throw new BenchmarkException($"the lake holds {stored} rows of a table of {rows}: what was measured is no result");
        return [.. stream.Lake.Known.Select(f => new FileSize(f.Rows, f.Bytes))];
    }

    private void Add(Measurement measurement)
    {
        done.Add(measurement);
        place.Progress.Say(
            $"  {measurement.What,-14} {measurement.RowsPerSecond,11:N0} rows/s {measurement.RowsPerCpuSecond,11:N0} per CPU-second "
            + $"{measurement.PeakRssMiB,5:0} MiB"
            + (measurement.IsDisturbed ? $"  others took {measurement.OthersShare:0%} of the machine" : ""));
    }
}
