using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Capture;

/// <summary>
/// The watermark on disk: one small JSON file, replaced as a whole and fsynced, written after the page that it covers is
/// committed (invariant 5). A file that cannot be read is never overwritten, nor one that is not as this poller knows it (invariant 6).
/// </summary>
public sealed class WatermarkFile(PipelineOptions options)
{
    private byte[]? known;

    public string Path { get; } = System.IO.Path.Combine(options.Streaming.LastProcessedTimestampLocation, "watermark.json");

    /// <returns>Null: there is none.</returns>
    /// <exception cref="PipelineException">The file is damaged or of a later version.</exception>
    public Watermark? Read()
    {
        try
        {
            known = Content();
            return known is null ? null : Watermark.FromJson(known);
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

    /// <summary>
    /// Replaces what was last read or written here. Something else there is another's position: a poller that slept would put its old one
    /// in the place of its successor's, and what that promised would be forgotten.
    /// </summary>
    /// <exception cref="PipelineException">The file is another by now.</exception>
    public void Write(Watermark watermark, CrashPoints crashPoints)
    {
        var present = Content();
        if (present is null || known is null ? present != known : !present.AsSpan().SequenceEqual(known)) throw IsAnother();
        var content = watermark.ToStateFile();
        DurableFile.Replace(Path, content, crashPoints.Before(CrashPoint.WatermarkWritten));
        known = content;
    }

    private byte[]? Content()
    {
        try
        {
            return File.ReadAllBytes(Path);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private PipelineException IsAnother() => new(new FailureVerdict(FailureAction.Retry,
        $"The watermark file {Path} is not as this poller wrote it: another poller has, or it was put back or removed.",
        "Capture looks where it has got to, in the file that is there and at the topic's end.", SeesItself: true)
    {
        Kind = "another watermark",
    });
}
