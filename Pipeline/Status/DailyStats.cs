using System.Collections.Immutable;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.Status;

/// <summary>What was stored on one day.</summary>
/// <param name="Day">In UTC, by the clocks of those who stored; null: before the commit log tells of days.</param>
/// <param name="Rows">Row versions.</param>
/// <param name="Files">Parquet files.</param>
/// <param name="Bytes">Their size; what earlier versions of this program stored is not in it.</param>
/// <param name="Quarantined">Records put into quarantine.</param>
public sealed record DayStats(DateOnly? Day, long Rows, long Files, long Bytes, long Quarantined)
{
    internal DayStats And(DayStats more) => this with
    {
        Rows = Rows + more.Rows, Files = Files + more.Files, Bytes = Bytes + more.Bytes, Quarantined = Quarantined + more.Quarantined,
    };
}

/// <summary>
/// What was stored day by day, by the commit log: the last entry of each day is kept for ever, and each says what was stored up to it. So
/// it is as exact as the commits are, and knows nothing of what became of the lake's files since.
/// </summary>
public sealed class DailyStats(PipelineOptions options, Func<string, ILakeFiles> openFiles)
{
    /// <summary>The oldest first.</summary>
    /// <exception cref="PipelineException">There is no commit log.</exception>
    public ImmutableArray<DayStats> Read()
    {
        var checkpoint = openFiles(options.Streaming.CheckpointLocation);
        var commits = TopicCommits.Find(checkpoint, options.Kafka.Topic)
            ?? throw LakeOwner.Nowhere(openFiles(options.Datalake.Path), checkpoint);
        var days = new SortedDictionary<DateOnly, DayStats>();
        foreach (var partition in commits.DayEnds())
        {
            // What no entry tells of any more stands first.
            var before = DayOf(partition[0]) == partition[0].State.Began ? Nothing : Before(partition[0]);
            Add(DateOnly.MinValue, before);
            foreach (var end in partition)
            {
                var upTo = UpTo(end);
                Add(DayOf(end), upTo.And(Negative(before)));
                before = upTo;
            }
        }
        return [.. days.Where(d => d.Value with { Day = null } != Nothing)
            .Select(d => d.Value with { Day = d.Key == DateOnly.MinValue ? null : d.Key })];

        void Add(DateOnly day, DayStats more) => days[day] = days.GetValueOrDefault(day, Nothing).And(more);
    }

    private static DateOnly DayOf(CommitEntry entry) => DateOnly.FromDateTime(entry.CommittedAt.UtcDateTime);

    private static DayStats Nothing { get; } = new(null, 0, 0, 0, 0);

    private static DayStats Negative(DayStats of) => new(null, -of.Rows, -of.Files, -of.Bytes, -of.Quarantined);

    private static DayStats UpTo(CommitEntry entry) =>
        new(null, entry.State.Rows, entry.State.Files, entry.State.Bytes, entry.State.Quarantined);

    private static DayStats Before(CommitEntry first) => UpTo(first).And(new DayStats(
        null, -first.Files.Sum(f => f.Rows), -first.Files.Count, -Math.Min(first.State.Bytes, first.Files.Sum(f => f.Bytes)),
        -first.Quarantine.Sum(f => f.Rows)));
}
