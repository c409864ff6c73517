using System.Collections.Immutable;

namespace OrdersStream.Postgres;

/// <summary>Some rows of the table, by their keys or by the ordering column. It holds nothing else of a row.</summary>
public sealed record RowSelection
{
    /// <summary>Keys of a selection; for more there are ranges.</summary>
    public const int KeysMax = 5_000;

    /// <summary>The rows of these keys, each as texts that Postgres reads back; null: of all.</summary>
    public ImmutableArray<ImmutableArray<string>>? Keys { get; init; }

    /// <summary>From this key on; null: from the first.</summary>
    public ImmutableArray<string>? FirstKey { get; init; }

    /// <summary>Up to this key; null: to the last.</summary>
    public ImmutableArray<string>? LastKey { get; init; }

    /// <summary>Least value of the ordering column; null: none.</summary>
    public DateTime? From { get; init; }

    /// <summary>All values of the ordering column are below it; null: any.</summary>
    public DateTime? To { get; init; }

    /// <summary>It names keys, which mean nothing where the table has another key.</summary>
    public bool HasKeys => Keys is not null || FirstKey is not null || LastKey is not null;

    /// <summary>What is true of its rows, and of no others, once all of it is.</summary>
    public IEnumerable<string> Conditions(SourceTable table)
    {
        if (Keys is { } keys)
            yield return $"({table.ComparedKey}) IN (VALUES {string.Join(", ", keys.Select(k => $"({table.KeyLiteral(k)})"))})";
        if (FirstKey is { } first) yield return $"({table.ComparedKey}) >= ({table.KeyLiteral(first)})";
        if (LastKey is { } last) yield return $"({table.ComparedKey}) <= ({table.KeyLiteral(last)})";
        if (From is { } from) yield return $"{table.Timestamp} >= {table.Literal(from)}";
        if (To is { } to) yield return table.Below(to);
    }
}
