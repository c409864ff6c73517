using System.ComponentModel;
using System.Diagnostics;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests.Disk;

/// <summary>
/// A file system of its own at one folder, in memory, that a test fills and makes read-only. Mounting takes root on Linux.
/// </summary>
internal sealed class SmallDisk : IDisposable
{
    private const int RoomKiB = 16 * 1024;

    private readonly string path;

    private SmallDisk(string path) => this.path = path;

    private string Ballast => Path.Combine(path, "ballast");

    /// <summary>Skips the test where nothing can be mounted; root on Linux can, so that is a failure in CI.</summary>
    public static SmallDisk MountAt(string path)
    {
        Directory.CreateDirectory(path);
        var failure = OperatingSystem.IsLinux() ? Run("-t", "tmpfs", "-o", $"size={RoomKiB}k", "orders-stream-test", path) : "not Linux";
        if (failure is not null && OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess)
            TestEnvironment.MissingServer($"root on Linux could not mount a file system: {failure}");
        if (failure is not null) Assert.Skip("needs the right to mount a file system (root on Linux)");
        return new SmallDisk(path);
    }

    /// <summary>Leaves so many bytes of room.</summary>
    public void Fill(int room)
    {
        // Another program's file, so that room is made by removing it and nothing of the pipeline's.
        using var ballast = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var page = new byte[4096];
        try
        {
            while (true) ballast.Write(page);
        }
        catch (IOException)
        {
            ballast.SetLength(ballast.Length - room);
        }
    }

    public void MakeRoom() => File.Delete(Ballast);

    public void MakeReadOnly() => Remount("ro");

    public void MakeWritable() => Remount("rw");

    public void Dispose() => Check(Execute("umount", ["--lazy", path]));

    private void Remount(string option) => Check(Run("-o", $"remount,{option}", path));

    private static void Check(string? failure) => Assert.Null(failure);

    private static string? Run(params string[] arguments) => Execute("mount", arguments);

    /// <returns>What failed.</returns>
    private static string? Execute(string command, string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"{command} {string.Join(' ', arguments)}: {errors}";
        }
        catch (Win32Exception e)
        {
            return e.Message;
        }
    }
}
