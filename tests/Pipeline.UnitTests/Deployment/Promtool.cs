using System.ComponentModel;
using System.Diagnostics;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>Prometheus' own checker of rules and expressions: skipped where it is not installed, and in CI it is.</summary>
internal static class Promtool
{
    /// <summary>Path of the program to take instead of promtool on the path.</summary>
    private const string Setting = "ORDERS_STREAM_TEST_PROMTOOL";

    /// <summary>It accepts what it is given, or the test fails with what it says.</summary>
    public static async Task AcceptsAsync(params string[] arguments)
    {
        var program = Environment.GetEnvironmentVariable(Setting) is { Length: > 0 } named ? named : "promtool";
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            Assert.True(process.ExitCode == 0, $"promtool {arguments[0]} ended with {process.ExitCode}: {string.Concat(await output)}");
        }
        catch (Win32Exception)
        {
            MissingTool.Tell($"There is no promtool: install Debian's package prometheus, or set {Setting} to its path.");
        }
    }
}
