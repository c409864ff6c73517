namespace OrdersStream.Audit;

/// <summary>Why what only the lake has is not published as deleted, though it may be, and what is to be done.</summary>
/// <param name="Why">The reason, behind "since".</param>
/// <param name="Remedy">Sentences of their own.</param>
public sealed record HeldDeletes(string Why, string Remedy)
{
    internal static HeldDeletes OrderInDoubt { get; } = new(
        "a collation of the key is of another version than its indexes, by which rows are passed over",
        "REINDEX the table as check says; the next round tells, or 'repair', which compares now.");

    internal static HeldDeletes EmptyTable { get; } = new(
        "the table is empty",
        "A table that is empty on purpose needs a lake that is begun anew; else see whose the table and the lake are.");

    /// <param name="percent">What may go.</param>
    internal static HeldDeletes TooMany(int percent) => new(
        $"they are more than {percent}% of all (postgres.deletes_share_max)",
        "Where they were deleted, raise postgres.deletes_share_max and start again; else see whose the table and the lake are.");
}
