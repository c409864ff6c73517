using System.Globalization;
using System.Text.RegularExpressions;

namespace OrdersStream.Diagnostics;

/// <summary>What a failure of the file system tells of where it came about: .NET says it in the text alone.</summary>
internal static partial class FailedFile
{
    /// <summary>Its path, as it goes on in a sentence; empty: it is not told.</summary>
    public static string At(Exception failure) => PathIn(failure) is { } path ? $" at '{path}'" : "";

    /// <summary>How much room there is, as it goes on in a sentence; empty: it cannot be told.</summary>
    public static string SpaceAt(Exception failure)
    {
        try
        {
            var folder = PathIn(failure);
            while (folder is not null && !Directory.Exists(folder)) folder = Path.GetDirectoryName(folder);
            if (folder is null || !Path.IsPathRooted(folder)) return "";
            var drive = new DriveInfo(folder);
            return $", whose file system has {MiB(drive.AvailableFreeSpace)} of {MiB(drive.TotalSize)} MiB left";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "";
        }
    }

    private static string MiB(long bytes) => (bytes >> 20).ToString("N0", CultureInfo.InvariantCulture);

    private static string? PathIn(Exception failure) =>
        Quoted().Match(failure.Message) is { Success: true } match ? match.Groups[1].Value : null;

    [GeneratedRegex("'([^\n]+)'")]
    private static partial Regex Quoted();
}
