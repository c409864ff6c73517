using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>What a record's headers say of pages.</summary>
/// <param name="Start">It is the first of a page's part.</param>
/// <param name="End">It is the last of one.</param>
/// <param name="Page">The page that it names; null: none.</param>
/// <param name="Publisher">Who sent that.</param>
/// <param name="EndsFirstFormat">It is the last of a page of topic format 1.</param>
/// <param name="Fence">It is a publisher's fence.</param>
/// <param name="IsMisplaced">Its page has no part in this partition: it was copied here from another.</param>
/// <param name="Replay">It was in quarantine, and is sent again.</param>
/// <param name="OthersName">It names a page of another stream, or, as earlier versions did, not whose, and none that is known here.</param>
internal readonly record struct RecordFrames(
    PageStart? Start, PageEnd? End, long? Page, string? Publisher, bool EndsFirstFormat, PageFence? Fence = null,
    bool IsMisplaced = false, PageName? OthersName = null, ReplayOf? Replay = null);

/// <summary>
/// Receives a partition's pages: a part counts once it is whole, and once only (invariants 2 and 3). One that is not whole when another
/// begins was torn by Kafka, or its publisher died; one whose number was there already is sent again. Both are dropped, counted and said;
/// what of them cannot be told from another producer's record goes to quarantine.
/// </summary>
internal sealed class PageReceiver(PartitionBatch batch, string stream, BlockPool blocks)
{
    private const int GivenUpMax = 64;

    private const string Unfinished =
        "it stands behind the beginning of a page that was not finished, and cannot be told from a record of that page";

    /// <summary>Why the rest of a page is in quarantine that was given up.</summary>
    public const string RestOfGivenUp = "its page was given up before it came";

    /// <summary>Why a part of a page that has none here is in quarantine.</summary>
    public const string Misplaced = "its page has no records in this partition: it was copied from another";

    private const string OfUnknown =
        "it names a page, but not of which stream, as earlier versions did, and nothing of that page's publisher is known here";

    private const string Between =
        "it stands in a page that was sent again, and cannot be told from a record of that page";

    private readonly List<PagePart> unfinished = [];
    private readonly Queue<(long, string)> givenUp = [];

    /// <summary>The part that arrives; null: none has begun.</summary>
    public PagePart? Open { get; private set; }

    /// <summary>Records of repeated or unfinished pages that were dropped since the last call.</summary>
    public DroppedRecords TakeDropped()
    {
        var taken = dropped;
        dropped = default;
        return taken;
    }

    private DroppedRecords dropped;

    /// <summary>Forgets all: it is read again.</summary>
    public void Clear()
    {
        Open?.Clear();
        Open = null;
        unfinished.ForEach(part => part.Clear());
        unfinished.Clear();
        givenUp.Clear();
        dropped = default;
    }

    /// <exception cref="PipelineException">A frame is of a later version.</exception>
    public RecordFrames FramesOf(in StreamRecord record)
    {
        if (record.Headers is not { Count: > 0 } headers) return default;
        var frames = new RecordFrames();
        byte[]? position = null;
        try
        {
            foreach (var header in headers)
            {
                if (header.Value is not { } value) continue;
                if (header.Name == StreamHeader.Page) frames = frames with { Start = PageStart.Read(value, stream) };
                else if (header.Name == StreamHeader.PageEnd) frames = frames with { End = PageEnd.Read(value, stream) };
                else if (header.Name == StreamHeader.PageName && PageFrame.ReadName(value) is { } name)
                    frames = IsOurs(name)
                        ? frames with { Page = name.Page, Publisher = name.Publisher }
                        : frames with { OthersName = name };
                else if (header.Name == StreamHeader.Fence) frames = frames with { Fence = PageFence.Read(value, stream) };
                else if (header.Name == StreamHeader.Replay) frames = frames with { Replay = ReplayOf.Read(value, stream) };
                else if (header.Name == StreamHeader.Position) position = value;
            }
        }
        catch (FormatException e)
        {
            throw PageFrame.ToStop(e, stream, record.Partition, record.Offset);
        }
        if (frames.Start is { } start) frames = frames with { Page = start.Page, Publisher = start.Publisher };
        else if (frames.End is { } end) frames = frames with { Page = end.Page, Publisher = end.Publisher };
        return frames with
        {
            EndsFirstFormat = frames.Page is null && position is not null && PageEnd.IsOfFirstFormat(position, stream),
            IsMisplaced = (frames.Start?.Partitions ?? frames.End?.Partitions)?.Contains(batch.Partition) == false,
        };
    }

    /// <summary>A page begins; one that is open was not finished.</summary>
    public void Begin(PageStart start, long offset)
    {
        if (Open is not null) GiveUp();
        Open = new PagePart(start, offset, blocks);
    }

    /// <summary>
    /// Where each record names its page: this one is of a page that is decided, or was given up, or began before the one that arrives. A
    /// publisher that slept sends its page, or the rest of it, when it wakes, and what it knew is old by then.
    /// </summary>
    public bool IsLate(in RecordFrames frames) =>
        frames is { Page: { } page, Start: null or { IsNamed: true } } && !IsOfOpen(frames)
        && (page <= batch.Page || page < Open?.Start.Page);

    /// <summary>
    /// It is of a page that was given up here, and that nothing since says is not to count: it has content that nobody sends again.
    /// </summary>
    public bool IsOfGivenUp(in RecordFrames frames) =>
        frames is { Page: { } page, Start: null or { IsNamed: true } } && !IsOfOpen(frames) && !IsLate(frames)
        && (givenUp.Contains((page, frames.Publisher ?? "")) || (frames.Start is null && page <= batch.GivenUp));

    /// <summary>Why the record is no row, whatever it holds; null: nothing says so.</summary>
    public string? ReasonAgainst(in RecordFrames frames) =>
        frames.IsMisplaced ? Misplaced : IsOfGivenUp(frames) ? RestOfGivenUp : frames.OthersName is { Stream: null } ? OfUnknown : null;

    /// <summary>It belongs to the part that arrives.</summary>
    public bool IsOfOpen(in RecordFrames frames) =>
        Open is { } part && frames.Page == part.Start.Page && frames.Publisher == part.Start.Publisher
        && (frames is { Start: null, End: null } || frames.IsMisplaced == IsMisplaced(part));

    /// <summary>The page has no part in this partition.</summary>
    public bool IsMisplaced(PagePart part) => !part.Start.Partitions.Contains(batch.Partition);

    /// <summary>It is known to be no record of the part that arrives: where its records name no page, only a frame says so.</summary>
    public bool IsForeign(in RecordFrames frames) => frames.Page is not null
        ? !IsOfOpen(frames)
        : Open!.Start.IsNamed || frames.EndsFirstFormat || frames.OthersName is not null || frames.Replay is not null;

    /// <summary>Takes a record while a part arrives.</summary>
    public void Hold(in StreamRecord record, in RecordFrames frames)
    {
        var part = Open!;
        if (IsOfOpen(frames) && frames.Start is null && frames.End is null && record is { Key: { } key, Value: { } value })
            part.HoldOwn(record.Offset, record.TimestampMs, key, value);
        else part.Hold(record, isForeign: IsForeign(frames));
        batch.Taken(record.Offset);
    }

    /// <summary>A late record, outside any part or in one: it counts for nobody.</summary>
    public void DropLate(in StreamRecord record)
    {
        dropped = dropped with { LateRecords = dropped.LateRecords + 1 };
        if (Open is null) batch.Decided(record.Offset, endsTransaction: false);
        else batch.Taken(record.Offset);
    }

    /// <summary>What waits for the end of a page.</summary>
    public long WaitingBytes => (Open?.Bytes ?? 0) + unfinished.Sum(part => part.Bytes);

    /// <summary>The records of parts that were not finished, which the part that now is does not have: whose are they?</summary>
    /// <param name="whole">That part; null: none is.</param>
    /// <param name="isFenced">A successor's fence shows that they do not count.</param>
    public IEnumerable<(StreamRecord Record, string Reason)> TakeDoubtful(PagePart? whole, bool isFenced)
    {
        if (unfinished.Count == 0) yield break;
        var known = whole?.Digests() ?? [];
        foreach (var part in unfinished)
        {
            // The first one bears the frame, and comes again with the page; where each names its page no other's is among them.
            var isSentAgain = whole?.Start.Page == part.Start.Page;
            var isKnown = part.Start.IsNamed && (isFenced || whole is not null);
            for (var records = part.Read(); records.Next();)
            {
                if (records.IsForeign
                    || !((records.IsFirst && isSentAgain) || isKnown || known.Contains(records.Digest())))
                    yield return (records.ToRecord(batch.Partition), Unfinished);
                else dropped = dropped with { Records = dropped.Records + 1 };
            }
        }
        unfinished.ForEach(part => part.Clear());
        unfinished.Clear();
    }

    /// <summary>The whole part is of a page that the lake has: what of it can be somebody else's.</summary>
    public IEnumerable<(StreamRecord Record, string Reason)> DropRepeated(PagePart part)
    {
        dropped = dropped with { RepeatedPages = dropped.RepeatedPages + 1 };
        var isPure = part.Own == part.Start.Records;
        for (var records = part.Read(); records.Next();)
        {
            if (records.IsForeign || !(isPure || part.Start.IsNamed)) yield return (records.ToRecord(batch.Partition), Between);
            else dropped = dropped with { Records = dropped.Records + 1 };
        }
    }

    /// <summary>The part is decided.</summary>
    public void Close()
    {
        Open!.Clear();
        Open = null;
    }

    /// <summary>Nobody will end it any more: what is there is to be decided without.</summary>
    public void GiveUp()
    {
        var part = Open!;
        unfinished.Add(part);
        dropped = dropped with { UnfinishedPages = dropped.UnfinishedPages + 1 };
        givenUp.Enqueue((part.Start.Page, part.Start.Publisher));
        if (givenUp.Count > GivenUpMax) givenUp.Dequeue();
        Open = null;
    }

    /// <summary>The page was begun here and not finished.</summary>
    public bool HasGivenUp(long page) => givenUp.Any(g => g.Item1 == page);

    // One of an earlier version is ours where its publisher is known, or where the rest of its page comes next.
    private bool IsOurs(PageName name) => name.Stream is { } named
        ? named == stream
        : name.Publisher == Open?.Start.Publisher || name.Page == batch.RestOf || givenUp.Any(g => g.Item2 == name.Publisher);
}

/// <summary>What was dropped, and why.</summary>
/// <param name="Records">Records of repeated and unfinished pages.</param>
/// <param name="RepeatedPages">Parts of pages that the lake has already.</param>
/// <param name="UnfinishedPages">Parts of pages that were not finished.</param>
/// <param name="LateRecords">Records that name a page that was decided before they came.</param>
internal readonly record struct DroppedRecords(long Records, int RepeatedPages, int UnfinishedPages, long LateRecords);
