using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.Logging;
using OrdersStream.Audit;
using OrdersStream.Configuration;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>repair</c> was asked to do.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="IsDry">Say what differs, and publish nothing.</param>
/// <param name="Once">Where nobody captures the table, publish and store here.</param>
/// <param name="LogLevel">Least severe line to show.</param>
/// <param name="AcceptsLost">What the lake's files have lost, and nobody has any more, is known from now on.</param>
public sealed record RepairOptions(PipelineOptions Pipeline, bool IsDry, bool Once, LogLevel LogLevel, bool AcceptsLost = false);

/// <summary>What <c>recapture</c> was asked to publish again.</summary>
/// <param name="Pipeline">The configuration in force, checked.</param>
/// <param name="First">The first key; null: the table's first.</param>
/// <param name="Last">The last key; null: the table's last.</param>
/// <param name="From">Least value of the ordering column; null: any.</param>
/// <param name="To">The ordering column is below it; null: any.</param>
/// <param name="Once">Where nobody captures the table, publish and store here.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record RecaptureOptions(
    PipelineOptions Pipeline, ImmutableArray<string>? First, ImmutableArray<string>? Last, DateTime? From, DateTime? To, bool Once,
    LogLevel LogLevel);

/// <summary>Has rows published again, by the process that captures the table.</summary>
public static class RepairVerbs
{
    /// <summary>Compares, has what differs published again, and compares again.</summary>
    /// <returns>The verdict as a number: 0 equal, 1 different, 2 it cannot be told, or nobody captures the table.</returns>
    public static async Task<int> RepairAsync(RepairOptions options, CancellationToken cancellationToken)
    {
        await using var stream = Open(options.Pipeline, options.LogLevel);
        if (!options.IsDry && !await MayPublishAsync(stream, options.Once, cancellationToken)) return ExitCode.Unknown;
        var found = await stream.Repair.FindAsync(options.IsDry, cancellationToken);
        var held = options.Pipeline.Postgres.Deletes == "off" ? "postgres.deletes is off" : stream.Repair.DeletesHeld;
        foreach (var line in Lines(found, held)) Console.WriteLine(line);
        if (options.IsDry)
        {
            Console.WriteLine(Would(found, held));
            if (found.CannotBeTold && found.Lost == 0)
            {
                Say($"it cannot be told whether lake and table agree: a collation of the key is of another version than its indexes");
                return ExitCode.Unknown;
            }
            return found.Differences + found.Lost > 0 ? ExitCode.Failure : found.OnTheWay > 0 ? ExitCode.Unknown : ExitCode.Ok;
        }
        if (!await PublishedAsync(stream, options.Once, cancellationToken)) return ExitCode.Unknown;
        Say($"{found.Requested:N0} rows were published again; comparing once more");
        var begunAt = stream.Process.Time.GetUtcNow();
        var compared = await stream.Comparison.CompareAsync(null, null, new VerifyVerb.ProgressLines(), cancellationToken);
        compared = stream.Repair.Keep(compared, begunAt, found.Requested, options.AcceptsLost);
        VerifyVerb.Print(compared, showKeys: false);
        return (int)compared.Verdict;
    }

    /// <summary>What was found, a line of each kind.</summary>
    /// <param name="found">That.</param>
    /// <param name="held">Why what only the lake has is not published as deleted; null: it is.</param>
    internal static IEnumerable<string> Lines(AuditFindings found, string? held)
    {
        yield return Line(
            $"of {found.Rows:N0} rows {found.Missing:N0} are missing and {found.Stale:N0} stale; {found.OnTheWay:N0} are on the way");
        if (found.Extra > 0) yield return Line($"{found.Extra:N0} are in the lake and not in the table");
        if (found.Extra > 0 && held is not null) yield return $"they are not published as deleted, since {held}";
        if (found.StoredTwice > 0)
            yield return Line($"{found.StoredTwice:N0} versions are in the lake more than once: verify names their files");
        if (found.Misplaced > 0)
            yield return Line($"{found.Misplaced:N0} versions are in files that lie in a wrong folder: verify names them");
        if (found.Lost > 0)
            yield return Line($"{found.Lost:N0} versions that the commit log has are in no file of the lake: files of it are gone");
    }

    /// <summary>What would be published without <c>--dry-run</c>.</summary>
    /// <inheritdoc cref="Lines"/>
    internal static string Would(AuditFindings found, string? held) => "nothing was published: without --dry-run "
        + (found.Missing + found.Stale > 0, found.Extra > 0 && held is null) switch
        {
            (true, true) => "those missing and stale would be, and those only the lake has as deleted",
            (true, false) => "those missing and stale would be",
            (false, true) => "those only the lake has would be, as deleted",
            (false, false) => "nothing would be",
        };

    /// <summary>Has rows published again, whatever the lake has of them.</summary>
    /// <returns>0: they are in the topic; 2: nobody captures the table with these folders, or who does could not publish them.</returns>
    public static async Task<int> RecaptureAsync(RecaptureOptions options, CancellationToken cancellationToken)
    {
        await using var stream = Open(options.Pipeline, options.LogLevel);
        if (!await MayPublishAsync(stream, options.Once, cancellationToken)) return ExitCode.Unknown;
        var hasMarked = await stream.Repair.RecaptureAsync(options.First, options.Last, options.From, options.To, cancellationToken);
        if (!await PublishedAsync(stream, options.Once, cancellationToken)) return ExitCode.Unknown;
        if (hasMarked) Say($"rows that count as deleted were left out: repair publishes as deleted those of them that the lake has");
        Say($"what was asked for was published again; verify tells when it is in the lake");
        return ExitCode.Ok;
    }

    private static PipelineStream Open(PipelineOptions options, LogLevel logLevel) =>
        LocalStream.Open(options, LineLogger.ToConsole(logLevel, TimeProvider.System), halves: []);

    private static async Task<bool> MayPublishAsync(PipelineStream stream, bool once, CancellationToken cancellationToken)
    {
        if (await stream.Repair.PollerAsync(cancellationToken) is { } poller)
        {
            if (stream.HearsOfCapture) return true;
            var folder = stream.Options.Streaming.LastProcessedTimestampLocation;
            Say($"""
                who captures ({poller}) is not heard of in '{folder}', so it would not meet what is asked for here:
                it has another streaming.last_processed_timestamp_location, ask there; or it hangs, see status
                """);
            return false;
        }
        if (!once)
        {
            Say($"nobody captures the table, and only who does can publish: start PostgresToKafka (run), or add --once to do it here");
            return false;
        }
        return await DrainAsync(stream, cancellationToken);
    }

    private static async Task<bool> PublishedAsync(PipelineStream stream, bool once, CancellationToken cancellationToken)
    {
        if (once && await stream.Repair.PollerAsync(cancellationToken) is null)
        {
            if (!await DrainAsync(stream, cancellationToken)) return false;
        }
        else if (!await stream.Repair.UntilPublishedAsync(cancellationToken))
        {
            Say($"what was asked for waits as '{stream.Repair.Waiting.FirstOrDefault()}': PostgresToKafka does not get to it");
            Say($"See what it says; it is published once it goes on");
            return false;
        }
        foreach (var file in stream.Repair.SetAside)
            Say($"not published: the request could not be done, and is kept as '{file}'. The log of PostgresToKafka says why");
        return stream.Repair.SetAside.Count == 0;
    }

    private static async Task<bool> DrainAsync(PipelineStream stream, CancellationToken cancellationToken)
    {
        var end = await new PipelineRun(stream).OnceAsync(null, cancellationToken);
        // Lets go of the lock: whoever captures from now on may.
        await stream.Capture.DisposeAsync();
        if (end == DrainEnd.Done) return true;
        Say($"not all that was there could be captured and stored ({end}): see run --once");
        return false;
    }

    private static void Say(FormattableString line) => Console.WriteLine(Line(line));

    private static string Line(FormattableString line) => line.ToString(CultureInfo.InvariantCulture);
}
