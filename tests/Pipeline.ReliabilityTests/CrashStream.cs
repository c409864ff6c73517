using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>A stream in small steps, so that a short history crosses each of them several times.</summary>
internal static class CrashStream
{
    public static Task<TestStream> CreateAsync(
        PostgresServer postgres, KafkaServer kafka, Func<PipelineOptions, PipelineOptions>? configure = null, string ddl = TestStream.Items)
    {
        kafka.RequireReal("what an aborted transaction published stays hidden");
        return TestStream.CreateAsync(
            postgres, kafka, ddl, configure: options => configure is null ? SmallSteps(options) : configure(SmallSteps(options)));
    }

    /// <summary>One without transactions, on whatever broker there is.</summary>
    public static Task<TestStream> CreateByFramesAsync(PostgresServer postgres, KafkaServer kafka) =>
        TestStream.CreateAsync(postgres, kafka, configure: options => ByFrames(SmallSteps(options)));

    public static PipelineOptions ByFrames(PipelineOptions options) => By("frames", options);

    /// <summary>Whatever it is to withstand, it does by either delivery.</summary>
    public static PipelineOptions By(string delivery, PipelineOptions options) =>
        options with { Kafka = options.Kafka with { Delivery = delivery } };

    /// <summary>Both halves, once, as LocalHost has them, in this process.</summary>
    /// <param name="stream">Whose.</param>
    /// <param name="onReached">Called at each crash point; null: nothing listens.</param>
    /// <param name="ahead">How far the process's clock is ahead.</param>
    /// <returns>Whether it came to its end.</returns>
    public static async Task<bool> OnceAsync(TestStream stream, Action<CrashPoint>? onReached = null, TimeSpan ahead = default)
    {
        await using var run = stream.NewRun(crashPoints: new CrashPoints(onReached), time: new ShortPauses { Ahead = ahead });
        try
        {
            return await run.OnceAsync(null, TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (IsCrash(e))
        {
            return false;
        }
    }

    private static bool IsCrash(Exception? e) =>
        e is CrashException
            || (e is AggregateException a ? a.InnerExceptions.Any(IsCrash) : e?.InnerException is { } inner && IsCrash(inner));

    private static PipelineOptions SmallSteps(PipelineOptions options) => options with
    {
        Postgres = options.Postgres with { PageBytes = 1024 },
        Datalake = options.Datalake with { FileBytes = 1024 },
        Streaming = options.Streaming with { BatchInterval = 1 },
    };
}

/// <summary>Stands for the end of a process: nothing handles it.</summary>
internal sealed class CrashException(CrashPoint point) : Exception($"crashed behind {point}");
