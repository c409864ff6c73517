using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The app itself as a process of its own, as the host starts it.</summary>
internal static class AppProcess
{
    public const string Argument = "--app";

    /// <summary>It says so when it is connected, and all of it has begun.</summary>
    public const string Started = "started";

    public static RunningProgram Start(string appFolder, IReadOnlyDictionary<string, string> environment, int hostPort)
    {
        var host = FormattableString.Invariant($"http://127.0.0.1:{hostPort}");
        var start = ThisProgram.StartInfo(
            typeof(AppProcess),
            [
                Argument, appFolder, "--functions-uri", host, "--functions-worker-id", "worker", "--functions-request-id", "request",
                "--functions-grpc-max-message-length", "2147483647",
            ]);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new RunningProgram(start);
    }

    /// <summary>The child's own side. Its patience is short, or a test would wait for a minute.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        Watchdog.PatienceMin = TimeSpan.FromSeconds(2);
        FunctionsRows.Timeout = Waiting.LessThanATimeout;
        using var sources = DiagnosticListener.AllListeners.Subscribe(new StartedNotice());
        return await Program.RunAsync(args[1..], args[0], ConfigurationLoader.ProcessEnvironment(), Console.Error);
    }

    /// <summary>What builds a host shows it to those who listen.</summary>
    private sealed class StartedNotice : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
    {
        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == "Microsoft.Extensions.Hosting") value.Subscribe(this);
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value is not { Key: "HostBuilt", Value: IHost host }) return;
            host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(() => Console.WriteLine(Started));
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }
    }
}
