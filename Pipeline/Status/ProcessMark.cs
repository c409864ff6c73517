using System.Diagnostics;
using System.Globalization;

namespace OrdersStream.Status;

/// <summary>A process, so that another one can tell whether it is still there.</summary>
/// <param name="Machine">Name of the machine that it runs on.</param>
/// <param name="Space">Which processes its number tells it from: of two containers that bear the machine's name, each has its own.</param>
/// <param name="Pid">Its number there.</param>
/// <param name="Started">When it began, as its system counts: a number that was given again is another process.</param>
internal sealed record ProcessMark(string Machine, string Space, int Pid, string Started)
{
    /// <summary>The one that asks.</summary>
    public static ProcessMark Own { get; } = new(
        Environment.MachineName, SpaceOfProcesses(), Environment.ProcessId, StartOf(Environment.ProcessId) ?? "");

    /// <summary>Whether it is still there; null: it cannot be seen from here.</summary>
    public bool? IsThere =>
        (Machine, Space) != (Own.Machine, Own.Space) ? null
        : StartOf(Pid) is { } started ? started == Started
        : AreOthersSeen ? false
        : null;

    /// <summary>Linux can hide the processes of other users.</summary>
    private static bool AreOthersSeen => !OperatingSystem.IsLinux() || File.Exists("/proc/1/stat");

    /// <summary>
    /// Linux numbers processes by namespaces, of which the first has the same number on every machine: the machine's start tells those
    /// apart.
    /// </summary>
    private static string SpaceOfProcesses()
    {
        try
        {
            var boot = new FileInfo("/proc/sys/kernel/random/boot_id");
            return $"{new FileInfo("/proc/self/ns/pid").LinkTarget}{(boot.Exists ? File.ReadAllText(boot.FullName).Trim() : "")}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>Null: there is no such process.</summary>
    private static string? StartOf(int pid)
    {
        try
        {
            // What .NET makes of it moves with the clock.
            if (OperatingSystem.IsLinux())
                return TicksOf(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat")));
            using var process = Process.GetProcessById(pid);
            return process.StartTime.ToUniversalTime().Ticks.ToString(CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException
            or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>The 22nd field; the second is the program's name, in which anything may stand. A zombie is gone.</summary>
    private static string? TicksOf(string stat)
    {
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : fields[19];
    }
}
