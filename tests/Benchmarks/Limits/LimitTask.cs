using System.Diagnostics;
using System.Text.Json;
using OrdersStream.Benchmarks.Measuring;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>What the machine can do where nothing else is done.</summary>
internal enum Limit
{
    /// <summary>Binary COPY of the table, read and thrown away.</summary>
    Copy,
    /// <summary>Records of the same bytes to a topic.</summary>
    Produce,
    /// <summary>The topic, read and thrown away.</summary>
    Consume,
    /// <summary>The same columns from memory to a Parquet file.</summary>
    Write,
}

/// <summary>The work of a child process that measures one limit; it comes by the environment, since it holds a password.</summary>
internal sealed record LimitTask(Limit Limit, long Rows)
{
    public const string Variable = "ORDERS_STREAM_BENCHMARK_LIMIT";

    public string? ConnectionString { get; init; }
    public string? Table { get; init; }
    public string? Brokers { get; init; }
    public string? Topic { get; init; }
    public int Partitions { get; init; }

    /// <summary>Records to produce, or the Parquet file to write.</summary>
    public string? File { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this);

    /// <summary>The child's own side: does it, and prints the rows and the time of the operation alone.</summary>
    public static async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var task = JsonSerializer.Deserialize<LimitTask>(
            Environment.GetEnvironmentVariable(Variable) ?? throw new BenchmarkException($"{Variable} is not set"))!;
        var result = task.Limit switch
        {
            Limit.Copy => await CopyLimit.RunAsync(task, cancellationToken),
            Limit.Produce => ProduceLimit.Run(task, cancellationToken),
            Limit.Consume => ConsumeLimit.Run(task, cancellationToken),
            _ => await WriteLimit.RunAsync(task, cancellationToken),
        };
        Console.WriteLine(JsonSerializer.Serialize(result));
        return 0;
    }
}

/// <summary>What a limit's operation did.</summary>
/// <param name="Rows">Rows or records; 0 where only bytes were seen.</param>
/// <param name="Bytes">Bytes that went by.</param>
/// <param name="Seconds">Of the operation alone.</param>
/// <param name="CpuSeconds">Of the operation alone.</param>
internal sealed record LimitResult(long Rows, long Bytes, double Seconds, double CpuSeconds);

/// <summary>Time and processor time from the moment that it is made.</summary>
internal sealed class OperationTime
{
    private readonly long begun = Stopwatch.GetTimestamp();
    private readonly double cpuBegun = ProcessTimes.ExactSeconds(Environment.ProcessId);

    public LimitResult End(long rows, long bytes) =>
        new(rows, bytes, Stopwatch.GetElapsedTime(begun).TotalSeconds, ProcessTimes.ExactSeconds(Environment.ProcessId) - cpuBegun);
}
