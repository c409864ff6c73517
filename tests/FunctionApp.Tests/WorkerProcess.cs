using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.TestKit.Oracles;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>A worker as a process of its own, which halts at a crash point, says so, and waits to be killed.</summary>
internal static class WorkerProcess
{
    public const string Argument = "--worker";
    private const string Reached = "reached";

    /// <summary>Starts a worker on one tick, or on one delivery of the whole topic, and returns when it halts at the point.</summary>
    public static async Task<RunningProgram> HaltedAtAsync(CrashPoint point, bool stores, AppStream stream)
    {
        var start = ThisProgram.StartInfo(typeof(WorkerProcess), [Argument, stream.AppFolder, point.ToString(), stores ? "store" : "poll"]);
        foreach (var (name, value) in stream.Environment) start.Environment[name] = value;
        var worker = new RunningProgram(start);
        try
        {
            // The first thing that it says: one that says anything else has passed the point.
            var line = await worker.ReadLineAsync();
            return line == Reached ? worker : throw new InvalidOperationException($"the worker said '{line}' before it reached {point}");
        }
        catch
        {
            worker.Dispose();
            throw;
        }
    }

    /// <summary>The child's own side.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var (appFolder, point, stores) = (args[0], Enum.Parse<CrashPoint>(args[1]), args[2] == "store");
        var environment = ConfigurationLoader.ProcessEnvironment();
        await using var worker = new AppWorker(appFolder, environment, NullLoggerProvider.Instance, at => { if (at == point) Halt(); });
        if (stores)
        {
            var options = ConfigurationLoader.Load(Path.Combine(appFolder, "../../../configs/orders_stream.yml"), [], environment, null);
            var records = TopicDump.Read(options.Kafka.Brokers, options.Kafka.Topic).Records;
            await worker.DeliverAsync([.. records.Select(Deliveries.ToHost)], CancellationToken.None);
        }
        else
        {
            await worker.TickAsync(CancellationToken.None);
        }
        Console.WriteLine("done");
        return 0;
    }

    private static void Halt()
    {
        Console.WriteLine(Reached);
        new ManualResetEventSlim().Wait();
    }
}
