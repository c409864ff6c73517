using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace OrdersStream.Postgres;

/// <summary>
/// What one snapshot of the database could see. A row with transaction id x is in it iff x &lt; H or x is in
/// <see cref="Seen"/>: a transaction's rows become visible together, so its id is enough, and a subtransaction's id,
/// which no snapshot lists, is found on the row itself.
/// </summary>
/// <param name="Snapshot">S, as Postgres prints it: equal text means that nothing was committed in between.</param>
/// <param name="Xmin">H: every transaction below it had ended, and its id is never given again.</param>
/// <param name="Xmax">The next transaction id at the time.</param>
/// <param name="Seen">Transactions at or above H whose rows were visible already (32-bit ids, as rows carry them).</param>
/// <param name="LowerBound">L: rows of later windows are not older than this, by the ordering column; null: no bound.</param>
/// <param name="TakenAt">The database's clock.</param>
/// <param name="ServerStarted">Start time of the postmaster.</param>
/// <param name="Prepared">Prepared transactions and their bounds; a null bound is none.</param>
/// <param name="Lsn">Up to where the server's log was on its disk; 0: not known.</param>
/// <param name="Newest">Some of the newest rows that it could see: witnesses of whether the server still has what it had.</param>
/// <param name="Facts">What the catalogue said of the table; null: not known.</param>
public sealed record Horizon(
    string Snapshot,
    ulong Xmin,
    ulong Xmax,
    ImmutableArray<uint> Seen,
    DateTime? LowerBound,
    DateTime TakenAt,
    DateTime ServerStarted,
    ImmutableSortedDictionary<uint, DateTime?> Prepared,
    ulong Lsn = 0,
    ImmutableArray<RowWitness>? Newest = null,
    TableFacts? Facts = null)
{
    /// <summary>Before, no row has an id that looks newer than it is.</summary>
    private const ulong OldIdsFrom = 1UL << 31;

    /// <summary>No id was given twice yet: what bears one that is above H was written since.</summary>
    [JsonIgnore]
    public bool HasNoOldIds => Xmin < OldIdsFrom;

    /// <summary>A row that is not older has an id that is not: no server does two billion transactions sooner.</summary>
    private static readonly TimeSpan IdsTellWithin = TimeSpan.FromHours(4);

    /// <summary>What the witnesses' keys are keys of, by <see cref="SourceTable.Order"/>; null: not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? KeyOrder { get; init; }

    /// <summary>Its witnesses, with their keys where those mean something in the table.</summary>
    internal ImmutableArray<RowWitness>? WitnessesOf(SourceTable table) =>
        KeyOrder == table.Order ? Newest : Newest?.Select(w => w with { Key = null }).ToImmutableArray();

    /// <summary>From where the window was read that ends at it; null: not known, or it is not done.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public WindowBound? ReadFrom { get; init; }

    /// <summary>Rows that are committed and not in it; null: none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public HeldBackRows? HeldBack { get; init; }

    /// <summary>
    /// Oid of the table of tombstones whose transactions it has; null: none was read. Those of another table, and those that were written
    /// while none was read, it knows nothing of, whatever their ids.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public uint? Tombstones { get; init; }

    /// <summary>
    /// Transactions below it may have written rows of any time, past a trigger that was another then, or none; null: none of them is open.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ulong? UnguardedBelow { get; init; }

    /// <summary>
    /// The least clock that was seen since, where it is below <see cref="TakenAt"/>; null: the clock was not seen to go back.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTime? ClockSince { get; init; }

    /// <summary>The least clock that was seen when it was taken, and since.</summary>
    [JsonIgnore]
    public DateTime LeastClock => ClockSince ?? TakenAt;

    /// <summary>Whatever was committed before is in it, by the database's clock; null: that cannot be told.</summary>
    [JsonIgnore]
    public DateTime? CompleteUpTo => HeldBack is null ? TakenAt : HeldBack.Since;

    /// <summary>True for an expression that yields a transaction id: is it in this horizon?</summary>
    /// <remarks>
    /// <c>age(x) BETWEEN 0 AND age(H)</c> is "x at or above H". A negative age is a frozen row from more than two billion
    /// transactions ago, and is old; a plain comparison would drop such rows from the initial load.
    /// </remarks>
    public string Contains(string xid)
    {
        var below = $"NOT (age({xid}) BETWEEN 0 AND age('{(uint)Xmin}'::xid))";
        return Seen.IsEmpty ? below : $"({below} OR {xid} = ANY ('{{{string.Join(',', Seen)}}}'::xid[]))";
    }

    /// <summary>
    /// The condition that a row is in this horizon. Its id says so, or its time: who was still to commit writes none below the bound. So
    /// a row whose id says nothing is in: one that was rewritten since and has the rewriter's id, and one that was frozen and has the id
    /// of a transaction of four billion transactions ago.
    /// </summary>
    public string ContainsRowOf(SourceTable table) =>
        LowerBound is { } bound ? $"({Contains("xmin")} OR {table.Below(bound)})" : Contains("xmin");

    /// <summary>It, behind a look at the database's clock; the same where the clock did not go back.</summary>
    public Horizon Seeing(DateTime clock) => clock < LeastClock ? this with { ClockSince = clock } : this;

    /// <summary>
    /// It, for a horizon that is taken when the clock says so: where the clock went back since, who began later may write what is below
    /// its bound.
    /// </summary>
    /// <param name="clock">The database's clock now.</param>
    /// <param name="overlap">How far it went back at most.</param>
    public Horizon Before(DateTime clock, TimeSpan overlap) =>
        Seeing(clock).ClockSince is { } least && least - overlap < LowerBound ? this with { LowerBound = least - overlap } : this;

    /// <summary>
    /// It, for a server that took the place of the one that it was taken of. That one may have gone on by itself, and its bound with the
    /// clock, while rows came to the other: what both have had is told by its newest row only. And a commit that the other never had may
    /// have hidden a version of its window, while that was read.
    /// </summary>
    public Horizon BeforeParting()
    {
        DateTime?[] bounds =
            [LowerBound, Newest is { } newest ? newest.Max(w => w.Time) : LowerBound, ReadFrom is { } from ? from.LowerBound : LowerBound];
        return this with { LowerBound = bounds.Any(b => b is null) ? null : bounds.Min() };
    }

    /// <summary>It, with the transactions that it saw.</summary>
    /// <param name="seen">Null: there are more than the limit.</param>
    /// <param name="previous">The horizon before.</param>
    public Horizon Remembering(ImmutableArray<uint>? seen, Horizon? previous)
    {
        if (seen is { } all) return this with { Seen = all };
        // Too many to remember: those seen before stay seen, for they are published (invariant 2); the others'
        // rows are held back to the next window, whose bound must then reach as far back as this one's.
        return this with
        {
            Seen = previous?.SeenFrom(Xmin) ?? [], LowerBound = previous?.LowerBound, HeldBack = HeldBackRows.Behind(previous),
        };
    }

    /// <summary>It, with what of the one before lasts.</summary>
    /// <param name="last">The horizon before; null: this is the first.</param>
    /// <param name="isUnguarded">Rows may have been written since then past the trigger, by who is still open, too.</param>
    public Horizon Following(Horizon? last, bool isUnguarded)
    {
        var unguarded = isUnguarded ? Xmax : last?.UnguardedBelow;
        return this with { UnguardedBelow = unguarded > Xmin ? unguarded : null, Facts = Facts?.Following(last?.Facts) };
    }

    /// <summary>Ids do not tell for as many of its transactions that it saw them: rows of theirs are looked at again.</summary>
    public bool HasLessThan(Horizon before) => Xmin < before.Xmin || Seen.Length < before.Seen.Length;

    /// <summary>What of it still holds when the server was started anew.</summary>
    /// <param name="there">The rows of its witnesses' keys now, or those that have a witness's time.</param>
    /// <param name="lsn">Up to where the server's log is written.</param>
    /// <param name="serverStarted">When it was started.</param>
    internal SeenAgain AfterRestart(IReadOnlyCollection<RowWitness> there, ulong lsn, DateTime serverStarted)
    {
        var newest = Newest ?? [];
        if (lsn < Lsn) return new(null, Rewind.BehindItsDisk);
        if (newest.Any(w => w.IsUndone(there))) return new(null, Rewind.Undone);
        // Rows of long ago may have ids of four billion transactions ago.
        var telling = newest.Where(w => w.IsAmong(there) && (Xmin < OldIdsFrom || w.IsOfLast(IdsTellWithin, TakenAt))).ToList();
        if (telling.Count == 0) return new(null, Rewind.Some);
        return new(UpTo((uint)Xmin + (uint)telling.Max(w => (int)(w.Xmin - (uint)Xmin)), serverStarted), Rewind.None);
    }

    /// <summary>
    /// What of it still holds when the server was started anew, if it has all that it had when the newest witness was committed: ids up to
    /// that one's. A crash forgets transactions that were rolled back or not flushed, and gives their ids again.
    /// </summary>
    /// <param name="newest">The greatest id of a witness that is there as it was.</param>
    /// <param name="serverStarted">When it was started.</param>
    public Horizon UpTo(uint newest, DateTime serverStarted)
    {
        var above = (int)(newest - (uint)Xmin);
        // Where the counter comes to the same place again the same text would say that nothing came since.
        var started = this with { Snapshot = "", ServerStarted = serverStarted };
        return above < 0
            ? started with { Xmin = Xmin - (uint)-above + 1, Seen = [], Facts = Facts?.UpTo(newest, isLess: true) }
            : started with { Seen = [.. Seen.Where(x => (int)(x - newest) <= 0)], Facts = Facts?.UpTo(newest, isLess: false) };
    }

    /// <summary>
    /// The transaction was open then, or began later: what was visible and bears its id is one of four billion transactions ago.
    /// </summary>
    public bool IsOpen(uint xid) =>
        (int)(xid - (uint)Xmax) >= 0
        || Snapshot.Split(':')[^1].Split(',').Any(x => ulong.TryParse(x, CultureInfo.InvariantCulture, out var open) && (uint)open == xid);

    /// <summary>The next transaction id of a snapshot, as Postgres prints it.</summary>
    public static ulong XmaxOf(string snapshot) => ulong.Parse(snapshot.Split(':')[1], CultureInfo.InvariantCulture);

    /// <summary>Of <see cref="Seen"/>, those at or above a later H.</summary>
    public ImmutableArray<uint> SeenFrom(ulong xmin) => [.. Seen.Where(x => (int)(x - (uint)xmin) >= 0)];

    /// <summary>
    /// The bound of a transaction that is prepared now. When it began is not known. One that was not prepared at the horizon before was
    /// open then, or began later.
    /// </summary>
    public static DateTime? BoundOfPrepared(uint xid, Horizon? previous) =>
        previous is null ? null : previous.Prepared.TryGetValue(xid, out var known) ? known : previous.LowerBound;

    /// <summary>
    /// The bound of a new horizon, from what was seen before its snapshot was taken.
    /// </summary>
    /// <param name="clock">The database's clock, read first.</param>
    /// <param name="oldestStart">The oldest open transaction of another session of this database.</param>
    /// <param name="prepared">Bounds of the prepared transactions.</param>
    /// <param name="slack">Covers the moment between a backend taking its start time and showing it, and clients' clocks.</param>
    public static DateTime? Bound(DateTime clock, DateTime? oldestStart, IEnumerable<DateTime?> prepared, TimeSpan slack)
    {
        var bound = oldestStart is { } start && start < clock ? start : clock;
        foreach (var p in prepared)
        {
            if (p is null) return null;
            if (p < bound) bound = p.Value;
        }
        return bound - slack;
    }
}

/// <summary>From where a window is read.</summary>
/// <param name="LowerBound">Least value of the ordering column; null: rows of any time were in it.</param>
public sealed record WindowBound(DateTime? LowerBound)
{
    public static WindowBound Of(Window window) => new(window.IsOfAnyTime || window.Joined is not null ? null : window.LowerBound);
}
