using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.TestKit.Oracles;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>A worker as a process of its own, which halts at a crash point, says so, and waits to be killed.</summary>
internal sealed class WorkerProcess : IDisposable
{
    public const string Argument = "--worker";
    private const string Reached = "reached";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process process;

    private WorkerProcess(Process process) => this.process = process;

    /// <summary>Starts a worker on one tick, or on one delivery of the whole topic, and returns when it halts at the point.</summary>
    public static async Task<WorkerProcess> HaltedAtAsync(CrashPoint point, bool stores, AppStream stream, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(WorkerProcess).Assembly.Location);
        foreach (var argument in (string[])[Argument, stream.AppFolder, point.ToString(), stores ? "store" : "poll"]) start.ArgumentList.Add(argument);
        foreach (var (name, value) in stream.Environment) start.Environment[name] = value;
        var worker = new WorkerProcess(Process.Start(start)!);
        var line = await worker.process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Patience, cancellationToken);
        if (line == Reached) return worker;
        var errors = await worker.process.StandardError.ReadToEndAsync(cancellationToken);
        worker.Dispose();
        throw new InvalidOperationException($"the worker said '{line}' before it reached {point}\n{errors}");
    }

    /// <summary>SIGKILL: nothing in it is run any more.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        process.Kill();
        await process.WaitForExitAsync(cancellationToken).WaitAsync(Patience, cancellationToken);
    }

    public void Dispose()
    {
        if (!process.HasExited) process.Kill();
        process.Dispose();
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
