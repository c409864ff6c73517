using OrdersStream.Capture;

namespace OrdersStream.Audit;

/// <summary>
/// Rows that a round asked for, as they were then, and by which request: that it was of no use to publish them again can be told only of
/// those whose request was done.
/// </summary>
internal sealed class AskedRows
{
    /// <summary>Rows that are remembered (invariant 7): the others are asked for again.</summary>
    private const int RowsMax = 100_000;

    private readonly HashSet<(UInt128 Key, ulong Digest)> useless = [];
    private readonly Dictionary<string, List<(UInt128 Key, ulong Digest)>> byRequest = [];
    private int count;

    /// <summary>Asks for rows, and remembers them.</summary>
    /// <param name="request">The request's file.</param>
    /// <param name="rows">Digests of their keys and of what they were.</param>
    public void Add(string request, IEnumerable<(UInt128 Key, ulong Digest)> rows)
    {
        var asked = rows.Take(RowsMax - count).ToList();
        if (!byRequest.TryAdd(request, asked)) byRequest[request].AddRange(asked);
        count += asked.Count;
    }

    /// <summary>A row that differs as it did before it was published again.</summary>
    public void AddUseless((UInt128 Key, ulong Digest) row)
    {
        if (count >= RowsMax) return;
        if (useless.Add(row)) count++;
    }

    /// <summary>
    /// Those that were published again, once no request waits any more: one that was set aside published nothing, or not all.
    /// </summary>
    public IReadOnlySet<(UInt128 Key, ulong Digest)> Published() => byRequest
        .Where(asked => RepairRequests.SetAside(asked.Key) is null).SelectMany(asked => asked.Value).Concat(useless).ToHashSet();

    /// <summary>Those of requests that were set aside: the server may read some of their keys no more.</summary>
    public IReadOnlySet<(UInt128 Key, ulong Digest)> SetAside() => byRequest
        .Where(asked => RepairRequests.SetAside(asked.Key) is not null).SelectMany(asked => asked.Value).ToHashSet();
}
