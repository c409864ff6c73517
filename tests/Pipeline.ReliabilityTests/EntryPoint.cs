using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace OrdersStream.ReliabilityTests;

/// <summary>Runs the tests; or, as a child of one of them, the LocalHost program.</summary>
internal static class EntryPoint
{
    public static int Main(string[] args)
    {
        if (args is [LocalHostProcess.Argument, .. var rest]) return LocalHostProcess.RunAsync(rest).GetAwaiter().GetResult();
        return args.Any(a => a is "--server" or "--internal-msbuild-node")
            ? TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions).GetAwaiter().GetResult()
            : ConsoleRunner.Run(args).GetAwaiter().GetResult();
    }
}
