using System.Text;

namespace OrdersStream.Configuration;

/// <summary>The configuration file's text, to find positions in. Bounded: a file of another kind may be of any size.</summary>
internal sealed record SourceText(string Path, string Text)
{
    private const int BytesMax = 1024 * 1024;

    /// <summary>Null when there is no such text; the fault is noted.</summary>
    public static SourceText? Read(string path, FaultList faults)
    {
        var problem = "";
        try
        {
            if (Directory.Exists(path)) problem = "is a folder; name the YAML file";
            else if (ReadBytes(path) is not { } bytes) problem = $"is larger than {BytesMax} bytes, so no configuration file";
            else return new SourceText(path, Decode(bytes));
        }
        catch (DecoderFallbackException)
        {
            problem = "is not UTF-8 text";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or ArgumentException)
        {
            problem = "no such file; --config names another one";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            problem = $"cannot be read: {e.Message}";
        }
        faults.Add(Origin.File(path), problem);
        return null;
    }

    private static byte[]? ReadBytes(string path)
    {
        using var file = File.OpenRead(path);
        using var content = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = file.Read(buffer)) > 0;)
        {
            content.Write(buffer, 0, read);
            if (content.Length > BytesMax) return null;
        }
        return content.ToArray();
    }

    private static string Decode(byte[] bytes)
    {
        var text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes);
        return text.StartsWith('\uFEFF') ? text[1..] : text;
    }
}
