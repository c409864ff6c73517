namespace OrdersStream.Durable;

/// <summary>
/// A small file that tells what is, and promises nothing: nobody goes on from it, so it is not fsynced and has no crash point. It is
/// written in its place, always as large, since that works on a disk without room, too, of which it may have to tell; a reader may meet
/// half of each of two, which the envelope's checksum shows.
/// </summary>
internal static class ObservationFile
{
    /// <summary>What is in it may take so much.</summary>
    public const int Bytes = 4096;

    /// <summary>Where the folder that holds the file's folder is not there, nothing is written in its place (invariant 6).</summary>
    public static void Write(string path, ReadOnlySpan<byte> content) => Write(path, content, Bytes);

    /// <param name="path">Where.</param>
    /// <param name="content">What.</param>
    /// <param name="bytes">How large the file always is.</param>
    public static void Write(string path, ReadOnlySpan<byte> content, int bytes)
    {
        var padded = new byte[bytes];
        padded.AsSpan().Fill((byte)' ');
        content.CopyTo(padded);
        try
        {
            WriteInPlace(path, padded);
        }
        catch (DirectoryNotFoundException) when (Directory.Exists(Path.GetDirectoryName(Path.GetDirectoryName(path))))
        {
            DurableFile.CreateFolder(Path.GetDirectoryName(path)!);
            WriteInPlace(path, padded);
        }
    }

    /// <exception cref="IOException">It is not there, or cannot be read.</exception>
    public static byte[] Read(string path) => [.. File.ReadAllBytes(path).AsSpan().TrimEnd((byte)' ')];

    private static void WriteInPlace(string path, byte[] content)
    {
        using var file = DurableFile.Open(path, FileMode.OpenOrCreate, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        file.Write(content);
    }
}
