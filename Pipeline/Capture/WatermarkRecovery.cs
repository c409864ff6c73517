using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>Where to go on.</summary>
/// <param name="Watermark">The position; null: there is none yet.</param>
/// <param name="Torn">The page of that position, where parts of it are missing; null: it is whole.</param>
/// <param name="File">What the watermark file says; null: there is none.</param>
internal sealed record FoundPosition(Watermark? Watermark, TornPage? Torn, Watermark? File = null);

/// <summary>
/// Finds where to go on: the watermark file, or what the topic's end knows beyond it (invariant 2), and refuses what
/// belongs to another table or topic (invariant 6).
/// </summary>
internal sealed class WatermarkRecovery(CaptureContext context)
{
    /// <param name="source">The table.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="publisher">Whose session it is.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    public async Task<FoundPosition> FindAsync(
        SourceIdentity source, TopicDescription topic, PagePublisher publisher, CancellationToken cancellationToken)
    {
        var file = context.File.Read();
        if (file is not null) CheckTopic(context.File.Path, file.Topic, topic.Identity);
        // Before anything is read: what it has open hides the topic's end.
        var isFenced = file?.Delivery == KafkaOptions.Transactions;
        if (!context.Options.Kafka.IsTransactional && isFenced) await publisher.FenceTransactionsAsync(cancellationToken);
        var promised = file?.Offsets ?? Watermark.NoOffsets;
        var lost = await new PromisedEnds(new TopicReader(context.Options), context.Time)
            .FindLostAsync(promised, topic.Partitions, cancellationToken);
        (file, lost) = NoteLost(file, lost);
        // Though something is known to be lost: a partition may have lost its newest page and end where it was promised all the same.
        var tail = await TailAsync(file, topic, isAfterLoss: false, cancellationToken);
        var least = LeastNumber(context.Time.GetUtcNow());
        if (!context.Options.Kafka.IsTransactional)
        {
            if (!isFenced && tail.IsByTransactions) await publisher.FenceTransactionsAsync(cancellationToken);
            // Written down first: whoever stores it passes over what has a lesser number, though the brokers lose the fence.
            var fence = NextFence(file, tail, least);
            file = (file ?? Watermark.Start(source, topic.Identity)) with
            {
                UsedNumber = fence, Delivery = context.Options.Kafka.Delivery,
            };
            context.File.Write(file, context.CrashPoints);
            tail = await FencedTailAsync(file, fence, topic, publisher, cancellationToken);
        }
        var (noted, all) = NoteLost(file, tail.LostOf(promised, publisher.Incarnation));
        (file, lost) = (noted, lost.SetItems(all));
        if (!lost.IsEmpty) tail = await TailAsync(null, topic, isAfterLoss: true, cancellationToken);
        var found = Decide(file, tail, lost);
        if (!lost.IsEmpty)
            context.Logger.AcknowledgedEndLost(lost.Values.Sum(), lost.Count, found.Watermark?.PageNumber ?? 0);
        else if (found.Watermark is { } newest && !ReferenceEquals(newest, file))
            // By what the file has: one that cannot be written stays behind, however far the topic gets.
            SayOnce($"{file?.Position}", log => log.RecoveredFromTopic(newest.WindowNumber, newest.Window?.Page ?? 0));
        if (found.Watermark is null) SayOnce("afresh", Log.StartingAfresh);
        else found.Watermark.Source.CheckSameTable(source);
        var position = Complete(
            found.Watermark ?? Watermark.Start(source, topic.Identity), file, tail, topic, isAfterLoss: !lost.IsEmpty, least);
        position = position with { Source = position.Source.KnownAs(source) };
        if (lost.IsEmpty) return found with { Watermark = position, File = file };
        context.File.Write(position, context.CrashPoints);
        return found with { Watermark = position, File = position };
    }

    private void SayOnce(string what, Action<ILogger> say)
    {
        if (context.SaidBeginning == what) return;
        context.SaidBeginning = what;
        say(context.Logger);
    }

    /// <summary>
    /// What is lost is written down at once: a session that dies before it has gone back has sent something, and that may move the end
    /// past what was promised.
    /// </summary>
    private (Watermark? File, ImmutableSortedDictionary<int, long> Lost) NoteLost(
        Watermark? file, ImmutableSortedDictionary<int, long> lost)
    {
        if (file is null) return (file, lost);
        var noted = file.WithLost(lost);
        if (!ReferenceEquals(noted, file)) context.File.Write(noted, context.CrashPoints);
        return (noted, noted.Lost ?? Watermark.NoOffsets);
    }

    // A publisher that was at work when the topic was made anew has written where it was in the one before: that is no place in this one.
    private async Task<TailPosition> TailAsync(
        Watermark? file, TopicDescription topic, bool isAfterLoss, CancellationToken cancellationToken) =>
        (await new TopicTail(context.Options, context.Time).ReadAsync(
            file?.Offsets ?? Watermark.NoOffsets, file?.PagesOrNone ?? Watermark.NoOffsets, topic, isAfterLoss,
            cancellationToken)).Of(topic.Identity);

    /// <summary>
    /// No broker refuses a predecessor that slept. What it sent lies before this publisher's fence, and is read here, or behind it, and
    /// counts for nobody. Of two that begin at once the fence that stands first counts, and the other begins anew.
    /// </summary>
    private async Task<TailPosition> FencedTailAsync(
        Watermark? file, long number, TopicDescription topic, PagePublisher publisher, CancellationToken cancellationToken)
    {
        await publisher.FenceAsync(number, cancellationToken);
        var tail = await TailAsync(file, topic, isAfterLoss: false, cancellationToken);
        return tail.IsFencedBy(publisher.Incarnation, topic.Partitions) ? tail : throw publisher.Replaced();
    }

    /// <summary>
    /// Each session's numbers begin at the clock. A file that is another poller's, or came from a backup, does not know all that were
    /// given, nor does a topic that retention emptied, or that lost its end, or all that it had, and the file with it: and a page whose
    /// number the lake has would be passed over.
    /// </summary>
    /// <exception cref="PipelineException">
    /// The clock is beyond the numbers of pages: who stores would take ours for somebody else's.
    /// </exception>
    internal static long LeastNumber(DateTimeOffset now)
    {
        var number = PageFence.NumberAt(now);
        return number < PageFence.NumberEnd ? number : throw new PipelineException(FailureAction.Stop,
            $"The clock of this machine says {now:yyyy-MM-dd}, and pages are numbered by it, up to 2037.",
            "Set the clock; nothing was published.");
    }

    /// <summary>The number of the next fence: beyond all that the topic has, and all that may have been lost and stored before.</summary>
    internal static long NextFence(Watermark? file, TailPosition tail, long least) =>
        PageFence.NumberAfter(Math.Max(Math.Max(file?.PageNumber ?? 0, file?.UsedNumber ?? 0), Math.Max(tail.NewestPage, least)));

    /// <summary>The decision, which asks nobody; what it finds is still to be completed.</summary>
    /// <param name="file">What the watermark file says; null: there is none.</param>
    /// <param name="tail">What the topic's end says.</param>
    /// <param name="lost">How much the brokers lost, of each partition that lost anything.</param>
    internal static FoundPosition Decide(Watermark? file, TailPosition tail, IReadOnlyDictionary<int, long> lost) =>
        lost.Count == 0 ? Newest(file, tail) : BeforeLoss(file, tail, lost);

    /// <summary>The file's position, or the topic's, if that is newer: the newest page in the topic decides.</summary>
    private static FoundPosition Newest(Watermark? file, TailPosition tail)
    {
        if (Newer(file, tail.Newest) is not { } newest || ReferenceEquals(newest, file)) return new(file, null);
        // A page of no window, a repair, is not sent again: the request for it is still there, or the audit finds what is missing.
        return new(newest, newest.Window is not null && tail.Torn is { } torn && torn.Page == newest.PageNumber ? torn : null);
    }

    /// <summary>
    /// What the brokers lost is captured again, as far as it is still in the table: from the newest position up to which no partition
    /// lost anything.
    /// </summary>
    private static FoundPosition BeforeLoss(Watermark? file, TailPosition tail, IReadOnlyDictionary<int, long> lost)
    {
        var safe = BeforeAnyLoss(tail, lost);
        // An earlier loss is being captured again, from further back than those know that had no part in it.
        if (Newer(file, tail.Newest) is { Window: { } again } newest && IsFurtherBack(again, safe))
            return new(newest with { Window = again with { Page = 0, Cursor = null, Marked = null, Deleted = null } }, null);
        // Its publisher died in that page: what other partitions have of it is read again with the rest, under a new number.
        if (safe?.Window is { } window && tail.Torn is { } torn && torn.Page == safe.PageNumber)
            safe = safe with
            {
                // A window's rows come behind its deletes.
                Window = window.Cursor is not null ? window with { Cursor = torn.Before }
                    : window.Marked is not null ? window with { Marked = torn.Before }
                    : window with { Deleted = torn.Before },
            };
        return new(safe ?? (file is null ? null : Watermark.Start(file.Source, file.Topic)), null);
    }

    /// <summary>The newest position up to which no partition lost anything; null: there is none.</summary>
    private static Watermark? BeforeAnyLoss(TailPosition tail, IReadOnlyDictionary<int, long> lost)
    {
        var positions = lost.Keys.Select(p => tail.Positions.GetValueOrDefault(p)).ToList();
        return positions.Contains(null) ? null : positions.MinBy(w => w!.Position);
    }

    private static Watermark? Newer(Watermark? file, Watermark? newest) =>
        file is null || (newest is not null && newest.Position.CompareTo(file.Position) > 0) ? newest : file;

    // Horizons only ascend but where capture goes back, and so do the pages of one window.
    private static bool IsFurtherBack(Window window, Watermark? safe) =>
        (safe?.Window is { } same && same.Number == window.Number && window.Page < same.Page)
        || (safe is not null && (safe.Window?.From ?? safe.Horizon) is { } known
            && (window.From is null || window.From.HasLessThan(known)));

    // Numbers of pages only grow, whatever was lost: who stores passes a number over that it has. A position that went back has a number
    // beyond all, so that the next session does not take the topic's for newer.
    internal static Watermark Complete(
        Watermark position, Watermark? file, TailPosition tail, TopicDescription topic, bool isAfterLoss, long least) => position with
    {
        Topic = topic.Identity,
        Offsets = ImmutableSortedDictionary.CreateRange(tail.Ends),
        // What was lost is known no more.
        Pages = (isAfterLoss ? Watermark.NoOffsets : file?.PagesOrNone ?? Watermark.NoOffsets).SetItems(tail.Pages),
        PageNumber = Math.Max(Math.Max(position.PageNumber, file?.PageNumber ?? 0), tail.NewestPage) + (isAfterLoss ? 1 : 0),
        WindowNumber = Math.Max(position.WindowNumber, file?.WindowNumber ?? 0),
        UsedNumber = Math.Max(file?.UsedNumber ?? 0, least),
        Lost = null,
        Delivery = file?.Delivery,
    };

    /// <summary>The file is of the topic that is there (invariant 6).</summary>
    internal static void CheckTopic(string path, TopicIdentity known, TopicIdentity present)
    {
        if (known.Matches(present)) return;
        throw new PipelineException(present.ActionWhereOther(known),
            $"The watermark file {path} belongs to topic {Text(known)}, but kafka.topic is now {Text(present)}.",
            "If the topic was deleted and made anew, its records are gone: to capture the whole table again, "
            + "move the watermark file and the commit log (streaming.checkpoint_location) away and give the lake a new datalake.path. "
            + "Otherwise correct kafka.brokers or kafka.topic.");
    }

    private static string Text(TopicIdentity t) => $"{t.Topic} (id {t.TopicId ?? "unknown"}, cluster {t.ClusterId})";
}
