using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace OrdersStream.Postgres;

/// <summary>A row version that a horizon saw.</summary>
/// <param name="Xmin">The id of its transaction.</param>
/// <param name="Timestamp">Its ordering column, as Postgres prints it; empty: NULL.</param>
/// <param name="Key">Its key, as texts that Postgres reads back; null: not known.</param>
public sealed record RowWitness(
    uint Xmin, string Timestamp,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ImmutableArray<string>? Key = null)
{
    /// <summary>It is not older than that.</summary>
    public bool IsOfLast(TimeSpan age, DateTime now) => Time is { } time && time >= now - age;

    /// <summary>It is there as it was.</summary>
    public bool IsAmong(IEnumerable<RowWitness> there) => there.Any(t => (t.Xmin, t.Timestamp) == (Xmin, Timestamp) && IsOfKey(t));

    /// <summary>
    /// It was taken back: its row is not there, or is older than it was. A row that was written since is newer, and one that was rewritten
    /// has its time.
    /// </summary>
    public bool IsUndone(IEnumerable<RowWitness> there) => Key is not null && !there.Any(t => IsOfKey(t) && !(t.Time < Time));

    // By its id and time alone, where it is of an earlier version.
    private bool IsOfKey(RowWitness other) => Key is not { } key || (other.Key is { } others && key.SequenceEqual(others));

    /// <summary>Its ordering column; null: it has none that is a time of ours.</summary>
    [JsonIgnore]
    internal DateTime? Time => DateTime.TryParse(
        Timestamp, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
        ? time : null;
}

/// <summary>What a server that may have gone back in time still has of a horizon.</summary>
/// <param name="Left">What of the horizon still holds; null: nothing does.</param>
/// <param name="Rewind">How far it went back.</param>
internal sealed record SeenAgain(Horizon? Left, Rewind Rewind);
