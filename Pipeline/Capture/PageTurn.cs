namespace OrdersStream.Capture;

/// <summary>
/// Records of a page that are sent together; those of the next turn only once these are acknowledged. Where one partition carries the
/// page's position, nothing of the page is anywhere before that is. And without transactions, a record that a broker refuses must leave no
/// hole in what counts, though the client goes on behind it: so a partition's first record, which says of what page those behind it are,
/// is there before they are sent, and its last one, which says that all are there, comes when they are (invariants 2 and 3).
/// </summary>
internal sealed class PageTurn
{
    private enum Place
    {
        Any,
        First,
        Between,
        Last,
    }

    private readonly PageHeaders headers;
    private readonly bool? isOfCarrier;
    private readonly Place place;

    private PageTurn(PageHeaders headers, bool? isOfCarrier, Place place) =>
        (this.headers, this.isOfCarrier, this.place) = (headers, isOfCarrier, place);

    /// <summary>It is acknowledged before another is sent, or before the page is said to be there: no commit will say that it is.</summary>
    public bool IsWaitedFor => place != Place.Any || isOfCarrier == true;

    /// <summary>Behind it, each of its partitions has its part.</summary>
    public bool IsEnd => place is Place.Any or Place.Last;

    /// <param name="headers">The page's.</param>
    /// <param name="isTransactional">What of it was refused, the commit says.</param>
    public static IReadOnlyList<PageTurn> Of(PageHeaders headers, bool isTransactional)
    {
        bool?[] parts = headers.Carrier < 0 ? [null] : [true, false];
        Place[] places = isTransactional ? [Place.Any] : [Place.First, Place.Between, Place.Last];
        return [.. from part in parts from place in places select new PageTurn(headers, part, place)];
    }

    /// <summary>Records of the partition are among its.</summary>
    public bool IsOf(int partition) => isOfCarrier is not { } only || partition == headers.Carrier == only;

    /// <param name="partition">Where the record goes.</param>
    /// <param name="index">So many of the page come before it there.</param>
    public bool Has(int partition, int index) => IsOf(partition) && (place == Place.Any || place == PlaceOf(partition, index));

    // The only one of its partition says that all are there.
    private Place PlaceOf(int partition, int index) =>
        index == headers.Counts[partition] - 1 ? Place.Last : index == 0 ? Place.First : Place.Between;
}
