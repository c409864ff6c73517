using System.Collections.Immutable;

namespace OrdersStream.Rows;

/// <summary>
/// How far a window has been read: the ordering column and the key of the last row, as text that Postgres reads back to
/// the very same values. The timestamp is null where the column was NULL.
/// </summary>
public sealed record Cursor(string? Timestamp, ImmutableArray<string> Key)
{
    public bool Equals(Cursor? other) => other is not null && Timestamp == other.Timestamp && Key.SequenceEqual(other.Key);

    public override int GetHashCode() => Key.Aggregate(Timestamp?.GetHashCode() ?? 0, HashCode.Combine);
}
