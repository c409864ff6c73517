namespace OrdersStream.Diagnostics;

/// <summary>
/// The numbers by which system calls say why they failed: those of Linux, as .NET's own <see cref="IOException"/>s carry them.
/// </summary>
internal static class Errno
{
    public const int EPERM = 1, ENOENT = 2, EINTR = 4, EEXIST = 17, ENOTDIR = 20, EINVAL = 22, ENOSPC = 28, EROFS = 30, ENOSYS = 38;

    public static int Of(IOException failure) => failure.HResult & 0xffff;
}
