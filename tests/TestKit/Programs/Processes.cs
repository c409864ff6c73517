using System.Diagnostics;

namespace OrdersStream.TestKit.Programs;

/// <summary>What the system knows of processes that are not the test's own children.</summary>
internal static class Processes
{
    /// <summary>A process that has ended but was not waited for yet counts as gone.</summary>
    public static bool IsAlive(int processId)
    {
        try
        {
            var status = File.ReadAllText($"/proc/{processId}/stat");
            return status[(status.LastIndexOf(')') + 2)..][0] != 'Z';
        }
        catch (IOException)
        {
            return !Directory.Exists("/proc") && IsListed(processId);
        }
    }

    private static bool IsListed(int processId)
    {
        using var ps = Process.Start(new ProcessStartInfo("ps", ["-p", $"{processId}"]) { RedirectStandardOutput = true })!;
        ps.WaitForExit();
        return ps.ExitCode == 0;
    }
}
