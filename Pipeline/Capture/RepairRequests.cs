using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Capture;

/// <summary>
/// The requests that wait for the poller, one file each beside the watermark file, oldest first. Any process may add one; the poller takes
/// one off when its rows are published. Where it dies in between it does so again, and the rows have one more version each.
/// </summary>
public sealed class RepairRequests(PipelineOptions options, CrashPoints crashPoints)
{
    private const string Extension = ".json", FailedExtension = ".failed";

    /// <summary>Of what may pass by itself.</summary>
    private const int FailuresMax = 3;

    private readonly Dictionary<string, int> failures = [];

    private readonly string folder = Path.Combine(options.Streaming.LastProcessedTimestampLocation, "repairs");

    /// <summary>Makes a request durable.</summary>
    /// <param name="request">Which rows.</param>
    /// <param name="now">The clock: requests are taken up in this order.</param>
    /// <returns>Its file, which is there until its rows are published.</returns>
    public string Add(RepairRequest request, DateTimeOffset now)
    {
        var path = Path.Combine(folder, $"{now:yyyyMMddTHHmmssfffffff}-{Guid.NewGuid():N}{Extension}");
        Write(path, request);
        return path;
    }

    /// <summary>Their files.</summary>
    public IReadOnlyList<string> Waiting() => !Directory.Exists(folder) ? [] :
    [
        .. Directory.EnumerateFiles(folder, "*" + Extension)
            .Where(file => !Path.GetFileName(file).StartsWith('.') && failures.GetValueOrDefault(file) < FailuresMax)
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Where a request is kept that could not be done; null: it waits, or was done.</summary>
    /// <param name="file">The request.</param>
    public static string? SetAside(string file) => File.Exists(file + FailedExtension) ? file + FailedExtension : null;

    /// <summary>Makes the folder the poller's own, who can then take off whatever others put there.</summary>
    internal void Begin()
    {
        try
        {
            // Where the folder above is missing, whoever makes it does so durably.
            if (Directory.Exists(Path.GetDirectoryName(folder)) && !Directory.Exists(folder)) DurableFile.CreateFolder(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The position is written to the same place: that says what is wrong.
        }
    }

    /// <summary>A part of what a request asks for is done: what failed before was not its own.</summary>
    internal void HasGotOn(string file) => failures.Remove(file);

    /// <summary>Takes note that what a request asks for could not be done.</summary>
    /// <param name="file">The request.</param>
    /// <param name="isForGood">It would fail again.</param>
    /// <returns>It is not tried again: it is set aside where it can be, under its name with an ending of its own.</returns>
    internal bool HasFailed(string file, bool isForGood)
    {
        failures[file] = isForGood ? FailuresMax : failures.GetValueOrDefault(file) + 1;
        if (failures[file] < FailuresMax) return false;
        try
        {
            DurableFile.TryRenameExclusive(file, file + FailedExtension, crashPoints.Before(CrashPoint.RequestRemoved));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // This process passes it over all the same.
        }
        return true;
    }

    /// <summary>Whoever asks for the same keys again, round after round, leaves one file of them, and not one each time.</summary>
    /// <param name="file">A request that was set aside.</param>
    /// <param name="request">What it asks for.</param>
    internal void RemoveOlder(string file, RepairRequest request)
    {
        var keys = KeysOf(request);
        try
        {
            foreach (var older in Directory.GetFiles(folder, "*" + Extension + FailedExtension))
                if (older != file + FailedExtension && IsOf(older)) Remove(older);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is there twice, and is removed the next time.
        }

        bool IsOf(string older)
        {
            try
            {
                return Read(older) is { IsDeletes: true } other && KeysOf(other).IsSubsetOf(keys);
            }
            catch (FormatException)
            {
                return false;
            }
        }
    }

    private static HashSet<string> KeysOf(RepairRequest request) => [.. (request.Only.Keys ?? []).Select(key => string.Join('\0', key))];

    /// <exception cref="FormatException">It cannot be used.</exception>
    internal RepairRequest Read(string path) => RepairRequest.FromStateFile(File.ReadAllBytes(path), options.StreamName);

    internal void Write(string path, RepairRequest request) =>
        DurableFile.Replace(path, request.ToStateFile(options.StreamName), crashPoints.Before(CrashPoint.RequestWritten));

    internal void Remove(string path) => DurableFile.Remove(path, crashPoints.Before(CrashPoint.RequestRemoved));
}
