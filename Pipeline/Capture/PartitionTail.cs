using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>
/// The pages at the end of one partition, by the rule of who stores them: one counts when it is whole, and where its number is greater
/// than all that counted before it, fences included (invariants 2 and 3).
/// </summary>
/// <param name="stream">The stream's name.</param>
/// <param name="known">The newest page that counts in what lies before; it may be met again. 0: it is not known.</param>
/// <param name="isFromBeginning">All that the partition ever had is read: what is not there was lost, and not deleted by retention.</param>
internal sealed class PartitionTail(string stream, long known = 0, bool isFromBeginning = false)
{
    private readonly HashSet<long> takeovers = [];
    private readonly HashSet<string> publishers = [];
    private bool isBroken;
    private Watermark? beforeBreak;
    private long beforeWhole;
    private PageStart? open;
    private int records;

    /// <summary>The end of the page that is known, or that fence, was met.</summary>
    public bool HasKnown { get; private set; }

    /// <summary>One with a lesser number was.</summary>
    public bool HasOlder { get; private set; }

    /// <summary>The page that is known is not there any more: the brokers lost it, whatever was written since.</summary>
    public bool HasLostKnown { get; set; }

    /// <summary>The greatest number of a page of which anything counts; 0: none.</summary>
    public long Begun { get; private set; }

    /// <summary>The last whole page; null: none.</summary>
    public PageEnd? Whole { get; private set; }

    /// <summary>The newest fence; null: none.</summary>
    public PageFence? Fence { get; private set; }

    /// <summary>Where it stands.</summary>
    public long FenceOffset { get; private set; }

    /// <summary>The newest position that is written here; null: none.</summary>
    public Watermark? Position { get; private set; }

    /// <summary>The end of the page whose position that is; null: it is of topic format 1, or there is none.</summary>
    public PageEnd? PositionOf { get; private set; }

    /// <summary>The greatest number that counts, of a page or a fence; 0: none was found.</summary>
    public long Decided => Math.Max(Whole?.Page ?? 0, Fence?.Page ?? 0);

    /// <summary>The page is whole here.</summary>
    public bool Has(long page) => Whole?.Page == page;

    /// <summary>The page, or fence, was met: it is the newest whole page, or what counts before that, or the fence.</summary>
    public bool HasMet(long page) => page == Whole?.Page || page == beforeWhole || page == Fence?.Page;

    /// <summary>What lies further back can change nothing of what was found.</summary>
    public bool IsCertain =>
        Position is not null && (Whole is not { IsNamed: true } || takeovers.Contains(PageFence.TakeoverOf(Whole.Page)));

    /// <summary>
    /// The newest position before which no page is missing here. Each page says which one was before it: where that is not there, the
    /// brokers lost it after it had been acknowledged, and what was sent since says nothing of it.
    /// </summary>
    public Watermark? Unbroken => isBroken ? beforeBreak : Position;

    /// <summary>
    /// Nothing was lost further back but what was noticed then: each publisher, before its first page, looks whether an end was lost.
    /// </summary>
    public bool IsCertainOfLoss => Unbroken is not null && publishers.Count > 1;

    /// <exception cref="FormatException">A header is of a later version, or a position cannot be read.</exception>
    public void Take(in StreamRecord record)
    {
        if (record.Headers is not { Count: > 0 } headers)
        {
            if (open is { IsNamed: false }) records++;
            return;
        }
        var start = Header(headers, StreamHeader.Page) is { } begins ? PageStart.Read(begins, stream) : null;
        var end = Header(headers, StreamHeader.PageEnd) is { } ends ? PageEnd.Read(ends, stream) : null;
        Meet(start?.Page ?? end?.Page, end?.Page);
        var isFence = Header(headers, StreamHeader.Fence) is { } mark && TakeFence(PageFence.Read(mark, stream), record.Offset);
        if (isFence || IsLate(start?.Page ?? end?.Page)) return;
        if (start is not null) Begin(start);
        else if (open is { IsNamed: false } || IsOfOpen(headers, end)) records++;
        var isEnd = end is not null && End(end);
        if (Header(headers, StreamHeader.Position) is { } position && ReadPosition(position, end is not null) is { } found
            && (found.PageNumber == 0 || isEnd) && (Position is null || found.Position.CompareTo(Position.Position) > 0))
        {
            (Position, PositionOf) = (found, end);
        }
    }

    // Beside a frame of the stream it is the stream's, and none that is not understood is passed over. Pages of topic format 1 have no
    // frames: there it must name the stream, and anything else by that name is another producer's.
    private Watermark? ReadPosition(byte[] header, bool isFramed)
    {
        try
        {
            var position = Watermark.ReadPosition(header);
            return isFramed || position?.Topic.Topic == stream ? position : null;
        }
        catch (FormatException) when (!isFramed)
        {
            return null;
        }
    }

    private bool TakeFence(PageFence? fence, long offset)
    {
        if (fence is null) return false;
        Meet(fence.Page, fence.Page);
        takeovers.Add(PageFence.TakeoverOf(fence.Page));
        if (fence.Page < known || fence.Page <= Decided) return true;
        (Fence, FenceOffset, open) = (fence, offset, null);
        return true;
    }

    private void Meet(long? number, long? ended)
    {
        HasOlder |= number < known;
        HasKnown |= known > 0 && ended == known;
    }

    private bool IsLate(long? page) => page is { } number && (number < known || number <= Decided || number < open?.Page);

    private void Begin(PageStart start)
    {
        if (!isBroken && (Whole is not null || isFromBeginning) && start.Previous > Decided) (isBroken, beforeBreak) = (true, Position);
        (open, records) = (start, 1);
        Begun = Math.Max(Begun, start.Page);
    }

    private bool End(PageEnd end)
    {
        Begun = Math.Max(Begun, end.Page);
        // Without its beginning, which lies before what is read, its own word is all there is.
        var isWhole = open is null || (open.Page == end.Page && open.Publisher == end.Publisher && records >= open.Records);
        if (isWhole)
        {
            (beforeWhole, Whole) = (Decided, end);
            publishers.Add(end.Publisher);
        }
        open = null;
        return isWhole;
    }

    private bool IsOfOpen(IReadOnlyList<StreamHeader> headers, PageEnd? end)
    {
        var name = end is null ? PageFrame.ReadName(Header(headers, StreamHeader.PageName)) : new(end.Page, end.Publisher, stream);
        return open is not null && name is { } own && own.Page == open.Page && own.Publisher == open.Publisher;
    }

    private static byte[]? Header(IReadOnlyList<StreamHeader> headers, string name)
    {
        for (var i = headers.Count - 1; i >= 0; i--)
            if (headers[i].Name == name) return headers[i].Value;
        return null;
    }
}
