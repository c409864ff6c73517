using System.Collections.Immutable;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;

namespace OrdersStream.Status;

/// <summary>
/// Where the heartbeats of a half lie: a folder in its own state folder, a file for each process. What was left there by one that is gone
/// stays until the next begins, so that how it ended can be told.
/// </summary>
internal sealed class HeartbeatFolder
{
    private const string Name = "heartbeats";

    /// <summary>A file that cannot be read may be of a later version, whose process tends it.</summary>
    private static readonly TimeSpan UnreadableAge = TimeSpan.FromDays(1);

    private readonly string stateFolder;
    private readonly string half;
    private readonly string stream;

    public HeartbeatFolder(PipelineOptions options, string half)
    {
        (this.half, stream) = (half, options.StreamName);
        stateFolder = half == nameof(PostgresToKafka)
            ? options.Streaming.LastProcessedTimestampLocation
            : options.Streaming.CheckpointLocation;
    }

    private string Folder => Path.Combine(stateFolder, Name);

    /// <summary>Makes room for a half that begins, and removes what others left that are gone.</summary>
    public void Begin(DateTimeOffset now)
    {
        // Whoever fails to observe itself goes on: this is no step behind which a process may end.
        DurableFile.CreateDirectory(stateFolder, CrashPoints.None);
        if (!Directory.Exists(Folder)) DurableFile.CreateFolder(Folder);
        foreach (var path in Files())
        {
            if (TryRead(path) is { } beat ? !beat.IsAlive(now) : now - File.GetLastWriteTimeUtc(path) > UnreadableAge) File.Delete(path);
        }
    }

    public void Write(Heartbeat beat) => ObservationFile.Write(Path.Combine(Folder, $"{half}-{beat.Id}.json"), beat.Seal(stream));

    /// <summary>Those of this stream; one that cannot be read tells nothing.</summary>
    public ImmutableArray<Heartbeat> Read() => [.. Files().Select(TryRead).OfType<Heartbeat>()];

    private string[] Files() => Directory.Exists(Folder) ? Directory.GetFiles(Folder, $"{half}-*.json") : [];

    private Heartbeat? TryRead(string path)
    {
        // One that is being written is whole a moment later.
        for (var attempt = 0; attempt < 3; attempt++)
        {
            try
            {
                return Heartbeat.Open(ObservationFile.Read(path), stream);
            }
            catch (FormatException)
            {
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
        return null;
    }
}
