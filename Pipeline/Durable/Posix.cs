using System.Runtime.InteropServices;
using OrdersStream.Diagnostics;

namespace OrdersStream.Durable;

/// <summary>The few calls of Linux and macOS that .NET does not offer. What can fail returns 0 or the errno.</summary>
internal static partial class Posix
{
    private const int CurrentDirectory = -100;
    private const uint NoReplaceOnLinux = 1, ExclusiveOnMac = 4;

    /// <summary>Hard links are refused by SMB, FAT and some FUSE file systems; flags of a rename by NFS and older FUSE.</summary>
    public static bool IsUnsupported(int errno) => OperatingSystem.IsMacOS()
        ? errno is Errno.EPERM or Errno.EINVAL or 45 or 78 or 102 // ENOTSUP, ENOSYS, EOPNOTSUPP
        : errno is Errno.EPERM or Errno.EINVAL or Errno.ENOSYS or 95; // EOPNOTSUPP, the same as ENOTSUP

    public static int Link(string from, string to) => Call(() => LinkFile(from, to));

    public static int RenameNoReplace(string from, string to)
    {
        try
        {
            return OperatingSystem.IsMacOS()
                ? Call(() => RenameOnMac(from, to, ExclusiveOnMac))
                : Call(() => RenameOnLinux(CurrentDirectory, from, CurrentDirectory, to, NoReplaceOnLinux));
        }
        catch (EntryPointNotFoundException)
        {
            return OperatingSystem.IsMacOS() ? 78 : Errno.ENOSYS; // musl before 1.2.6 has no wrapper for it
        }
    }

    public static void SyncDirectory(string path)
    {
        var flags = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000; // O_RDONLY | O_CLOEXEC
        var descriptor = -1;
        var opened = Call(() => descriptor = OpenFile(path, flags));
        if (opened != 0) throw Failure($"Folder '{path}' cannot be opened for fsync", opened);
        var synced = Call(() => SyncFile(descriptor));
        _ = CloseFile(descriptor);
        // EINVAL: this file system has no fsync of folders (some network mounts); its server orders the names itself.
        if (synced is not 0 and not Errno.EINVAL) throw Failure($"fsync of folder '{path}' failed", synced);
    }

    /// <summary>As .NET's own file calls report it: the errno tells a full disk from others.</summary>
    public static IOException Failure(string what, int errno) =>
        new($"{what}: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).", errno);

    private static int Call(Func<int> call)
    {
        while (true)
        {
            if (call() >= 0) return 0;
            if (Marshal.GetLastPInvokeError() is var errno and not Errno.EINTR) return errno;
        }
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkFile(string from, string to);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameOnLinux(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameOnMac(string from, string to, uint flags);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int SyncFile(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int CloseFile(int descriptor);
}
