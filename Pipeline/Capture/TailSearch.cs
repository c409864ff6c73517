namespace OrdersStream.Capture;

/// <summary>Where the end of one partition is read from: further and further back, until what is met there is enough.</summary>
internal abstract class TailSearch
{
    /// <summary>The offset to read from next, to the end.</summary>
    public long Start { get; protected set; }

    /// <summary>What is enough; null: nothing so far.</summary>
    public PartitionTail? Found { get; private set; }

    /// <summary>The whole search, where reading is a call.</summary>
    /// <param name="read">Reads from an offset to the end.</param>
    public PartitionTail By(Func<long, PartitionTail> read)
    {
        while (Found is null) Take(read(Start));
        return Found;
    }

    /// <summary>What was read from <see cref="Start"/> on.</summary>
    public void Take(PartitionTail tail)
    {
        if (IsEnough(tail)) Found = tail;
    }

    /// <summary>Whether it is; if not, <see cref="Start"/> is further back.</summary>
    protected abstract bool IsEnough(PartitionTail tail);
}

/// <summary>
/// What lies behind a known page, and a little before, so that the page itself is met: an end that was lost may have been written over
/// since, further than it was.
/// </summary>
internal sealed class SearchBehindPage : TailSearch
{
    /// <summary>More than a publisher that slept may have on its way.</summary>
    private const long LateRecordsMax = 1_000_000;

    private readonly long low;
    private readonly long from;
    private readonly long known;
    private long back = 2;

    /// <param name="low">The first offset kept.</param>
    /// <param name="from">An offset at or before the end after the known page; others' records lie between where it is before.</param>
    /// <param name="known">The number of that page; 0: none.</param>
    public SearchBehindPage(long low, long from, long known)
    {
        (this.low, this.from, this.known) = (low, from, known);
        Start = Math.Max(low, known == 0 ? from : from - back);
    }

    protected override bool IsEnough(PartitionTail tail)
    {
        if (known == 0 || tail.HasKnown) return true;
        // A lesser number alone says nothing: what came late stands behind a fence with a greater one.
        if (Start > low && (back < LateRecordsMax || !tail.HasOlder))
        {
            back *= 8;
            Start = Math.Max(low, from - back);
            return false;
        }
        // What retention deleted was not lost.
        tail.HasLostKnown = tail.HasOlder || low == 0;
        return true;
    }
}

/// <summary>
/// A partition's last committed record carries a position, unless another producer wrote behind it: then it is searched further back.
/// Whether a page without a transaction counts is told by its publisher's fence, and so this is searched, too.
/// </summary>
internal sealed class SearchBackwards : TailSearch
{
    private readonly long low;
    private readonly long high;
    private readonly bool isAfterLoss;
    private long back;

    /// <param name="low">The first offset kept.</param>
    /// <param name="high">The end.</param>
    /// <param name="isAfterLoss">The brokers lost an end: back to where nothing is missing.</param>
    /// <param name="back">How far at first.</param>
    public SearchBackwards(long low, long high, bool isAfterLoss, long back = 64)
    {
        (this.low, this.high, this.isAfterLoss, this.back) = (low, high, isAfterLoss, back);
        Start = Math.Max(low, high - back);
    }

    protected override bool IsEnough(PartitionTail tail)
    {
        if (Start == low || (tail.IsCertain && (!isAfterLoss || tail.IsCertainOfLoss))) return true;
        back *= 8;
        Start = Math.Max(low, high - back);
        return false;
    }
}
