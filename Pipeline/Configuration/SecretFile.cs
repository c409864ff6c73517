using System.Text;

namespace OrdersStream.Configuration;

/// <summary>A file that holds one secret, as orchestrators mount them: who changes it need not start anything anew.</summary>
public static class SecretFile
{
    private const int BytesMax = 64 * 1024;

    /// <summary>Its first line; null: no file is named.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string? Read(string? path)
    {
        if (path is null) return null;
        using var file = File.OpenRead(path);
        var bytes = new byte[BytesMax];
        var text = Encoding.UTF8.GetString(bytes, 0, file.ReadAtLeast(bytes, BytesMax, throwOnEndOfStream: false));
        return text.TrimStart('\uFEFF').Split('\n')[0].TrimEnd('\r');
    }
}
