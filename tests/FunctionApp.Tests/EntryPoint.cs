using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Runs the tests; or, as a child of one of them, a worker.</summary>
internal static class EntryPoint
{
    public static int Main(string[] args)
    {
        if (args is [WorkerProcess.Argument, .. var work]) return WorkerProcess.RunAsync(work).GetAwaiter().GetResult();
        if (args is [AppProcess.Argument, .. var app]) return AppProcess.RunAsync(app).GetAwaiter().GetResult();
        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions).GetAwaiter().GetResult()
            : ConsoleRunner.Run(args).GetAwaiter().GetResult();
    }
}
