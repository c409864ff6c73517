using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The app itself as a process of its own, as the host starts it.</summary>
internal static class AppProcess
{
    public const string Argument = "--app";

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
    public static Task<int> RunAsync(string[] args)
    {
        Watchdog.PatienceMin = TimeSpan.FromSeconds(2);
        FunctionsRows.Timeout = Waiting.LessThanATimeout;
        return Program.RunAsync(args[1..], args[0], ConfigurationLoader.ProcessEnvironment(), Console.Error);
    }
}
