using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// The folder in which everything of one private server lies. A marker names the process it belongs to; a folder whose owner is
/// gone is stale, and the next start stops what still runs in it and removes it. A folder without our marker is never touched.
/// </summary>
public sealed class ServerFolder
{
    private const string NamePrefix = "orders-stream-pg-";
    private const string MarkerName = "owner.json";

    /// <summary>
    /// sun_path of the shortest platform (macOS: 104 bytes with the closing zero), less the socket's own name and a margin.
    /// </summary>
    private const int SocketDirectoryBytesMax = 80;

    /// <summary>A process's start is computed from the time since boot, which is not exact.</summary>
    private const int StartToleranceSeconds = 5;

    private const string SharedMemory = "/dev/shm";

    /// <summary>Room for the servers of all tests that run at once, and as much again.</summary>
    private const long InMemoryBytesMin = 6L * 1024 * 1024 * 1024;

    private ServerFolder(string path) => Root = path;

    public string Root { get; }
    public string Data => Path.Combine(Root, "data");

    /// <summary>Socket and log: what the server writes beside its data.</summary>
    public string Run => Path.Combine(Root, "run");
    public string LogFile => Path.Combine(Run, "postgres.log");

    /// <summary>
    /// Where files lie in memory: of a thousand databases that are made and thrown away within minutes, each of some hundred files, a
    /// disk's file system keeps a processor busy with their names alone. Null: there is no such place, or little of it.
    /// </summary>
    public static string? InMemory { get; } = FindInMemory();

    /// <summary>A fresh folder that only we (and, as root, the server's user) can look into.</summary>
    /// <param name="isInMemory">In memory, where there is such a place.</param>
    public static ServerFolder Create(bool isInMemory = false)
    {
        var parent = isInMemory && InMemory is { } memory ? memory : Parent();
        var folder = new ServerFolder(Path.Combine(parent, NamePrefix + Path.GetRandomFileName().Replace(".", "")));
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder.Root);
        }
        else
        {
            const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            var pass = Environment.IsPrivilegedProcess ? UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : UnixFileMode.None;
            Directory.CreateDirectory(folder.Root, own | pass);
            Directory.CreateDirectory(folder.Data, own);
            Directory.CreateDirectory(folder.Run, own);
        }
        Directory.CreateDirectory(folder.Data);
        Directory.CreateDirectory(folder.Run);
        using var self = Process.GetCurrentProcess();
        var marker = JsonSerializer.Serialize(new Marker(self.Id, StartOf(self)), ServerFolderJson.Default.Marker);
        File.WriteAllText(Path.Combine(folder.Root, MarkerName), marker);
        return folder;
    }

    /// <summary>The server's process id as its own lock file names it, or null when it has none.</summary>
    public int? PostmasterId()
    {
        try
        {
            var firstLine = File.ReadLines(Path.Combine(Data, "postmaster.pid")).FirstOrDefault();
            return int.TryParse(firstLine, CultureInfo.InvariantCulture, out var id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Whether a server process that works in this folder is alive (a process id alone may have been given anew).</summary>
    public bool IsServed()
    {
        if (PostmasterId() is not { } id) return false;
        try
        {
            using var process = Process.GetProcessById(id);
            if (!process.ProcessName.StartsWith("postgres", StringComparison.Ordinal)) return false;
            var commandLine = $"/proc/{id}/cmdline";
            return !File.Exists(commandLine) || File.ReadAllText(commandLine).Contains(Data, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Folders of runs that died without cleaning up.</summary>
    public static IReadOnlyList<ServerFolder> Stale() =>
        [
            .. new[] { Parent(), SharedMemory }.Where(Directory.Exists).SelectMany(p => Directory.GetDirectories(p, NamePrefix + "*"))
                .Where(d => OwnerIsGone(Path.Combine(d, MarkerName)))
                .Select(d => new ServerFolder(d)),
        ];

    /// <summary>
    /// Removes it, or leaves it to the next start: the marker goes last, so what is left is still known as ours. Of several runs that
    /// remove the same stale folder one gets it, by its name: side by side each would stumble over what the others have deleted, and
    /// none would end it.
    /// </summary>
    public void Remove()
    {
        try
        {
            var claimed = Root + "-" + Path.GetRandomFileName().Replace(".", "");
            Directory.Move(Root, claimed);
            foreach (var folder in Directory.GetDirectories(claimed)) Directory.Delete(folder, recursive: true);
            Directory.Delete(claimed, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another run has it, or a file is still open (Windows).
        }
    }

    private static string Parent()
    {
        var parent = Path.TrimEndingDirectorySeparator(Path.GetTempPath());
        if (OperatingSystem.IsWindows()) return parent;
        var leavesRoom = parent.Length + NamePrefix.Length + 16 <= SocketDirectoryBytesMax;
        return leavesRoom && (!Environment.IsPrivilegedProcess || OthersMayPass(parent)) ? parent : "/tmp";
    }

    private static string? FindInMemory()
    {
        try
        {
            return OperatingSystem.IsLinux() && new DriveInfo(SharedMemory).AvailableFreeSpace >= InMemoryBytesMin ? SharedMemory : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool OthersMayPass(string directory)
    {
        for (var d = new DirectoryInfo(directory); d is not null; d = d.Parent)
            if (!OperatingSystem.IsWindows() && !d.UnixFileMode.HasFlag(UnixFileMode.OtherExecute)) return false;
        return true;
    }

    private static bool OwnerIsGone(string markerFile)
    {
        try
        {
            if (!OperatingSystem.IsWindows())
                // Only a file's owner may do this: markers of other users fail here and are left alone.
                File.SetUnixFileMode(markerFile, File.GetUnixFileMode(markerFile));
            var marker = JsonSerializer.Deserialize(File.ReadAllText(markerFile), ServerFolderJson.Default.Marker);
            if (marker is not { ProcessId: > 0 }) return false;
            using var owner = Process.GetProcessById(marker.ProcessId);
            return Math.Abs(StartOf(owner) - marker.ProcessStart) > StartToleranceSeconds;
        }
        catch (ArgumentException)
        {
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static long StartOf(Process process) => new DateTimeOffset(process.StartTime).ToUnixTimeSeconds();

    internal sealed record Marker(int ProcessId, long ProcessStart);
}

[JsonSerializable(typeof(ServerFolder.Marker))]
internal sealed partial class ServerFolderJson : JsonSerializerContext;
