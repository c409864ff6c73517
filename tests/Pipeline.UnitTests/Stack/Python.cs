using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace OrdersStream.UnitTests.Stack;

/// <summary>
/// A Python with what readers of a lake use. Nothing of the project needs one: without it those tests are skipped, in CI too.
/// </summary>
internal static partial class Python
{
    /// <summary>The Python to take instead of python3 on the path.</summary>
    private const string Setting = "ORDERS_STREAM_TEST_PYTHON";

    /// <summary>What the program prints; a program that fails fails the test.</summary>
    public static async Task<string> RunAsync(string program)
    {
        var python = Environment.GetEnvironmentVariable(Setting) is { Length: > 0 } named ? named : "python3";
        try
        {
            var (exitCode, output, errors) = await StartAsync(python, program);
            Assert.SkipWhen(LacksModule().IsMatch(errors), $"{python} lacks pandas or pyarrow; {Setting} names another Python.");
            Assert.True(exitCode == 0, $"{python} ended with {exitCode}:\n{errors}");
            return output;
        }
        catch (Win32Exception e)
        {
            Assert.Skip($"{python} cannot be started: {e.Message}; {Setting} names another Python.");
            return "";
        }
    }

    private static async Task<(int ExitCode, string Output, string Errors)> StartAsync(string python, string program)
    {
        var start = new ProcessStartInfo(python, ["-c", program]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }

    [GeneratedRegex("No module named '?(pandas|pyarrow|numpy)|Unable to find a usable engine")]
    private static partial Regex LacksModule();
}
