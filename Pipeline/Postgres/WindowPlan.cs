namespace OrdersStream.Postgres;

/// <summary>How far a source went back in time since a horizon.</summary>
internal enum Rewind
{
    /// <summary>It did not.</summary>
    None,

    /// <summary>Committed rows may have vanished, and their transaction ids been given to others; nobody knows how many.</summary>
    Some,

    /// <summary>
    /// The same, and nobody knows since when: another server took its place, and ours may have gone on by itself for long before.
    /// </summary>
    Parted,

    /// <summary>Row versions that were captured are not there any more, and those before them may be of any age.</summary>
    Undone,

    /// <summary>It has less than it had on its disk at the horizon: its volume was put back to an older state.</summary>
    BehindItsDisk,
}

/// <summary>The next window, and why it reads rows again where it does.</summary>
/// <param name="Window">What to read.</param>
/// <param name="Reason">Empty: no row is read again that could be published already.</param>
/// <param name="AnyTimeReason">Why rows of any age are looked at; empty: they are not.</param>
internal sealed record WindowPlan(Window Window, string Reason, string AnyTimeReason = "")
{
    public bool IsReread => Reason.Length > 0;

    /// <summary>
    /// Half of the 32-bit circle: older transaction ids cannot be compared with present ones. The last quarter of it is for the
    /// transactions that come while the window is read.
    /// </summary>
    private const ulong ComparableTransactions = 3UL << 29;

    /// <summary>Ids say nothing any more of what was visible where a window in progress begins.</summary>
    /// <param name="inProgress">It; null: none is.</param>
    /// <param name="next">The next transaction id.</param>
    public static bool IsTooOld(Window? inProgress, ulong next) =>
        inProgress?.From is { } from && next > from.Xmin && next - from.Xmin >= ComparableTransactions;

    /// <summary>Decides the bounds of the next window (invariant 1).</summary>
    /// <param name="number">Its number.</param>
    /// <param name="last">The horizon up to which everything is published; null: nothing is yet.</param>
    /// <param name="to">The horizon just taken.</param>
    /// <param name="change">What changed of the table in between.</param>
    /// <param name="rewind">Whether the source went back in time since <paramref name="last"/>.</param>
    /// <param name="overlap">How far to read back then.</param>
    /// <param name="givenUp">A window that was begun and cannot be gone on with: the next reads as far; null: none.</param>
    public static WindowPlan Next(
        long number, Horizon? last, Horizon to, TableChange change, Rewind rewind, TimeSpan overlap, Window? givenUp = null)
    {
        if (last is null)
        {
            to = to.Following(null, change.IsUnguarded);
            return new(new Window(number, null, to, null, 0, null), "", to.UnguardedBelow is null ? "" : AnyTimeReasonOf(change, to));
        }
        // Where ids tell nothing, nor do those of who changed a trigger: who is open, or prepared, may have written past it.
        var isTooOld = to.Xmax > last.Xmin && to.Xmax - last.Xmin >= ComparableTransactions;
        var isAsBefore = last.UnguardedBelow is null && (last.Facts is null || to.Facts is null || last.Facts.IsAsIn(to.Facts));
        to = to.Following(last, change.IsUnguarded || ((rewind != Rewind.None || isTooOld) && !isAsBefore));
        var isWhole = !isAsBefore || givenUp is { From: null, LowerBound: null } or { IsOfAnyTime: true } or { Joined: not null };
        if (rewind == Rewind.BehindItsDisk)
            return Whole(number, to, "the server's volume was put back to an older state, so rows that were captured may have vanished");
        if (rewind == Rewind.Undone)
            return Whole(number, to,
                "of the newest rows that were captured some are gone or older than they were: "
                + "the server was promoted or restored, or its volume put back, unless they were deleted");
        if (change.Reread.Length > 0) return Whole(number, to, change.Reread);
        var sure = rewind == Rewind.Parted ? last.BeforeParting() : last;
        if (isTooOld)
            return Reread(
                number, sure, to, overlap, isWhole, givenUp, "the last position is more than a billion and a half transactions old");
        if (rewind is Rewind.Some or Rewind.Parted || to.Xmax < last.Xmin)
            return Reread(number, sure, to, overlap, isWhole, givenUp,
                "the server was promoted or restored, or has none of the newest rows as they were before it was started anew, "
                + "so committed rows may have vanished and others taken their transaction ids");
        var isOfAnyTime = change.IsRewritten || change.IsReordered || change.IsUnguarded || last.UnguardedBelow is not null;
        var window = new Window(
            number, last, to, isOfAnyTime ? null : last.LowerBound, 0, null,
            Joined: change.Joined.IsEmpty ? null : change.Joined, IsOfAnyTime: isOfAnyTime);
        if (last.Seeing(to.LeastClock).ClockSince is not { } least) return new(window, "", AnyTimeReasonOf(change, to));
        return new(window with { LowerBound = Least(window.LowerBound, least - overlap) }, "the database's clock went back");
    }

    // Said once: the windows that look again for the sake of who is still open go on in silence.
    private static string AnyTimeReasonOf(TableChange change, Horizon to) =>
        change.IsUnguarded ? "a trigger of it or a trigger's function changed"
            + (to.UnguardedBelow is null ? ""
                : "; so with each window until the transactions that are open now have ended, and rows below its bound may come with each")
        : change.IsRewritten ? "its files were replaced"
        : change.IsReordered ? "another column orders its rows"
        : change.Joined.IsEmpty ? ""
        : "other tables became part of it";

    private static WindowPlan Whole(long number, Horizon to, string reason) => new(new Window(number, null, to, null, 0, null), reason);

    // Ids tell nothing: what was rewritten meanwhile, joined, or reads otherwise has rows of any time. A window that is given up may itself
    // have been one that was read again from further back than its horizon's bound: nobody but it knows how far.
    private static WindowPlan Reread(
        long number, Horizon last, Horizon to, TimeSpan overlap, bool isWhole, Window? givenUp, string reason)
    {
        if (isWhole) return Whole(number, to, reason);
        var clock = new[] { last.ClockSince, givenUp?.To.LeastClock }.OfType<DateTime>().Append(to.LeastClock).Min();
        var bound = Least(last.LowerBound - overlap, clock - overlap);
        return new(new Window(number, null, to, givenUp?.LowerBound is { } given ? Least(bound, given) : bound, 0, null), reason);
    }

    private static DateTime? Least(DateTime? a, DateTime b) => a is null ? null : a < b ? a : b;
}
