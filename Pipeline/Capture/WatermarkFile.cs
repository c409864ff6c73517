using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Capture;

/// <summary>
/// The watermark on disk: one small JSON file, replaced as a whole and fsynced, written after the page that it covers is
/// committed (invariant 5). A file that cannot be read is never overwritten (invariant 6).
/// </summary>
public sealed class WatermarkFile(PipelineOptions options)
{
    public string Path { get; } = System.IO.Path.Combine(options.Streaming.LastProcessedTimestampLocation, "watermark.json");

    /// <returns>Null: there is none.</returns>
    /// <exception cref="PipelineException">The file is damaged or of a later version.</exception>
    public Watermark? Read()
    {
        try
        {
            return Watermark.FromJson(File.ReadAllBytes(Path));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (FormatException e)
        {
            throw new PipelineException(FailureAction.Stop,
                $"The watermark file {Path} cannot be read: {e.Message}.",
                "If it is of a later version, run that version. "
                + "If it is damaged, move it away: capture then finds its position at the topic's end.", e);
        }
    }

    /// <summary>
    /// Removes what writers who died left beside it. They are in nobody's way: where that fails, the next start tries again.
    /// </summary>
    public void RemoveLeftovers(DateTimeOffset now)
    {
        try
        {
            DurableFile.RemoveLeftovers(System.IO.Path.GetDirectoryName(Path)!, now);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    public void Write(Watermark watermark, CrashPoints crashPoints) =>
        DurableFile.Replace(Path, watermark.ToStateFile(), crashPoints.Before(CrashPoint.WatermarkWritten));
}
