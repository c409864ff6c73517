using System.ComponentModel;
using System.Diagnostics;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>KEDA's own schema, as packages of npm have it: skipped where they are not installed, and in CI they are.</summary>
internal static class KedaSchema
{
    /// <summary>A copy of the folder <c>keda</c> beside this file, in which <c>npm ci</c> was run.</summary>
    private const string Setting = "ORDERS_STREAM_TEST_KEDA";

    private const string Folder = "tests/Pipeline.UnitTests/Deployment/keda";

    /// <summary>What does not fit in a ScaledObject; empty: it is one.</summary>
    public static async Task<string> SaidOfAsync(string scaledObject)
    {
        var installed = Environment.GetEnvironmentVariable(Setting);
        if (string.IsNullOrEmpty(installed))
            MissingTool.Tell($"KEDA's schema is not there: run 'npm ci' in a copy of {Folder}, and set {Setting} to its path.");
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder["scaledobject.yaml"], scaledObject);
        var start = new ProcessStartInfo("node", [Path.Combine(installed, "keda.mjs"), folder["scaledobject.yaml"]])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var output = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            var said = string.Concat(await output);
            Assert.True(process.ExitCode == 0 == (said == ""), $"node ended with {process.ExitCode}: {said}");
            return said;
        }
        catch (Win32Exception)
        {
            MissingTool.Tell("There is no Node, which holds manifests against KEDA's schema: install Debian's package nodejs.");
            throw;
        }
    }
}
