namespace OrdersStream.Postgres;

/// <summary>The next window, and why it reads rows again where it does.</summary>
/// <param name="Window">What to read.</param>
/// <param name="Reason">Empty: an ordinary window.</param>
internal sealed record WindowPlan(Window Window, string Reason)
{
    public bool IsReread => Reason.Length > 0;

    /// <summary>Half of the 32-bit circle: older transaction ids cannot be compared with present ones.</summary>
    private const ulong ComparableTransactions = 1UL << 31;

    /// <summary>Decides the bounds of the next window (invariant 1).</summary>
    /// <param name="number">Its number.</param>
    /// <param name="last">The horizon up to which everything is published; null: nothing is yet.</param>
    /// <param name="to">The horizon just taken.</param>
    /// <param name="rewound">The source went back in time since <paramref name="last"/>.</param>
    /// <param name="overlap">How far to read back then.</param>
    public static WindowPlan Next(long number, Horizon? last, Horizon to, bool rewound, TimeSpan overlap)
    {
        if (last is null) return new(new Window(number, null, to, null, 0, null), "");
        if (rewound)
            return Reread(number, last, to, overlap,
                "the server was promoted, restored or restarted without synchronous commits, "
                + "so committed rows may have vanished and others taken their transaction ids");
        if (to.Xmax - last.Xmin >= ComparableTransactions)
            return Reread(number, last, to, overlap, "the last position is more than two billion transactions old");
        if (to.TakenAt < last.TakenAt)
        {
            var back = to.TakenAt - overlap;
            return new(new Window(number, last, to, Least(last.LowerBound, back), 0, null), "the database's clock went back");
        }
        return new(new Window(number, last, to, last.LowerBound, 0, null), "");
    }

    private static WindowPlan Reread(long number, Horizon last, Horizon to, TimeSpan overlap, string reason) =>
        new(new Window(number, null, to, Least(last.LowerBound - overlap, to.TakenAt - overlap), 0, null), reason);

    private static DateTime? Least(DateTime? a, DateTime b) => a is null ? null : a < b ? a : b;
}
