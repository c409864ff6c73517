using System.Globalization;
using System.Text;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// What the server shows of this worker's sessions: who finds the poller's lock taken can tell by whom, and whether that one's host is
/// still there.
/// </summary>
public static class WorkerName
{
    /// <summary>The server cuts off what is longer.</summary>
    private const int BytesMax = 63;

    /// <param name="applicationName">As it is configured.</param>
    public static string Of(string applicationName)
    {
        var host = Parent() is { } parent ? string.Create(CultureInfo.InvariantCulture, $" of host {parent}") : "";
        var processes = string.Create(CultureInfo.InvariantCulture, $", worker {Environment.ProcessId}{host}");
        // By the processes its holder is found: of a long name its end goes first, and then that of the machine's.
        return Cut($"{Cut(applicationName, BytesMax - processes.Length)}{processes} on {Environment.MachineName}", BytesMax);
    }

    private static string Cut(string name, int bytes)
    {
        while (Encoding.UTF8.GetByteCount(name) > bytes) name = name[..^1];
        return name;
    }

    /// <summary>The process that started this one, as it was then; null: it cannot be told.</summary>
    private static int? Parent()
    {
        try
        {
            var stat = File.ReadAllText("/proc/self/stat");
            // Behind the program's name, in which anything may stand: the state, then the parent.
            return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
