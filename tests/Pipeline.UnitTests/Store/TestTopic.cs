using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>A topic in memory: what was produced, what retention removed, and what was read of it.</summary>
internal sealed class TestTopic
{
    public static readonly TableSchema Orders = new(
        [
            new Column("order_id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
            new Column("status", new ColumnType(ColumnKind.Text, "text"), true),
            new Column("created_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), true),
            new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), false),
        ], [0], 3);

    private readonly Dictionary<int, List<StreamRecord>> partitions = [];
    private readonly Dictionary<int, long> low = [];
    private readonly Dictionary<int, long> next = [];

    public TopicIdentity Identity { get; set; } = new("cluster-1", "orders", "topic-id-1");

    /// <summary>Ranges that were read, as (partition, from, toExclusive).</summary>
    public List<(int Partition, long From, long ToExclusive)> Read { get; } = [];

    public TopicAccess Access =>
        new(Identity, (p, _) => Task.FromResult((low.GetValueOrDefault(p), StableEnd(p))),
            (p, _) => Task.FromResult(next.GetValueOrDefault(p)), ReadRangeAsync, ReadRangeAsync);

    /// <summary>Where somebody's transaction is open, by partition: readers of committed records see nothing from there on.</summary>
    public Dictionary<int, long> HiddenFrom { get; } = [];

    private long StableEnd(int partition) =>
        Math.Min(next.GetValueOrDefault(partition), HiddenFrom.GetValueOrDefault(partition, long.MaxValue));

    /// <summary>The end of each partition that has had records, and of those before it.</summary>
    public IReadOnlyList<long> Ends =>
        [.. Enumerable.Range(0, next.Keys.DefaultIfEmpty(-1).Max() + 1).Select(p => next.GetValueOrDefault(p))];

    public IReadOnlyList<StreamRecord> this[int partition] => partitions[partition];

    /// <summary>All records, the partitions mixed as a consumer would mix them.</summary>
    public List<StreamRecord> All =>
        [.. partitions.Values.SelectMany(r => r.Select((record, i) => (record, i))).OrderBy(x => x.i).Select(x => x.record)];

    /// <summary>
    /// A page of one partition as PostgresToKafka publishes it: schema header first, position header last, then a marker.
    /// </summary>
    public List<StreamRecord> Page(int partition, int rows, TableSchema? schema = null, Func<int, string>? value = null,
        bool markerFollows = true) =>
        [.. Enumerable.Range(0, rows).Select(i => Produce(partition, value?.Invoke(i) ?? Row(next.GetValueOrDefault(partition)),
            [
                .. i == 0 ? [Header(StreamHeader.Schema, (schema ?? Orders).Fingerprint)] : Array.Empty<StreamHeader>(),
                .. i == rows - 1 ? [Header(StreamHeader.Position, FirstFormatPosition)] : Array.Empty<StreamHeader>(),
            ], markerFollows: markerFollows && i == rows - 1))];

    // What is read of it.
    private string FirstFormatPosition => $$$$"""{"version":1,"watermark":{"topic":{"topic":"{{{{Identity.Topic}}}}"}}}""";

    /// <summary>A page's part in one partition in topic format 2, as PostgresToKafka publishes it.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="ids">Its rows.</param>
    /// <param name="previous">Number of the page before it here.</param>
    /// <param name="isNamed">Without transactions: each record names its page, and no marker follows.</param>
    /// <param name="publisher">Who sends it.</param>
    /// <param name="sent">So many of its records only.</param>
    /// <param name="schema">Null: that of <see cref="Orders"/>.</param>
    /// <param name="value">A row's value; null: <see cref="Row"/>.</param>
    public List<StreamRecord> Framed(
        int partition, long page, long[] ids, long previous = 0, bool isNamed = false, string publisher = "a", int? sent = null,
        TableSchema? schema = null, Func<long, string>? value = null)
    {
        var frame = new PageFrame(Identity.Topic, page, publisher, [partition], 4, null, isNamed, schema ?? Orders);
        return [.. ids.Take(sent ?? ids.Length).Select((id, i) => Produce(partition, value?.Invoke(id) ?? Row(id),
            [
                .. i == 0
                    ?
                    [
                        Header(StreamHeader.Schema, (schema ?? Orders).Fingerprint),
                        new(StreamHeader.Page, frame.Start(ids.Length, previous)),
                    ]
                    : Array.Empty<StreamHeader>(),
                .. isNamed && i > 0 && i < ids.Length - 1 ? [new(StreamHeader.PageName, frame.Name)] : Array.Empty<StreamHeader>(),
                .. i == ids.Length - 1
                    ? [new(StreamHeader.PageEnd, frame.End(ids.Length)), Header(StreamHeader.Position, "{}")]
                    : Array.Empty<StreamHeader>(),
            ], markerFollows: !isNamed && i == ids.Length - 1, key: id.ToString(CultureInfo.InvariantCulture)))];
    }

    /// <summary>A page of deletes in one partition, as PostgresToKafka publishes it.</summary>
    /// <param name="partition">Which one.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="keys">The keys of the rows that are gone.</param>
    /// <param name="previous">Number of the page before it here.</param>
    /// <param name="isNamed">Without transactions: each record names its page, and no marker follows.</param>
    /// <param name="between">Records of others behind the first of the page's.</param>
    /// <param name="schema">Null: that of <see cref="Orders"/> with columns that may be NULL.</param>
    public List<StreamRecord> Deletes(
        int partition, long page, string[] keys, long previous = 0, bool isNamed = false, Action? between = null,
        TableSchema? schema = null)
    {
        schema ??= TombstoneTable.Of("public", "orders_deletes", Orders).Deletes;
        var frame = new PageFrame(Identity.Topic, page, "a", [partition], 4, null, isNamed, schema, isDeletes: true);
        var first = partitions.GetValueOrDefault(partition)?.Count ?? 0;
        for (var i = 0; i < keys.Length; i++)
        {
            Produce(partition, null,
                [
                    .. i == 0
                        ? [Header(StreamHeader.Schema, schema.Fingerprint), new(StreamHeader.Page, frame.Start(keys.Length, previous))]
                        : Array.Empty<StreamHeader>(),
                    .. i == keys.Length - 1
                        ? [new(StreamHeader.PageEnd, frame.End(keys.Length)), Header(StreamHeader.Position, "{}")]
                        : Array.Empty<StreamHeader>(),
                    .. isNamed && i > 0 && i < keys.Length - 1 ? [new(StreamHeader.PageName, frame.Name)] : Array.Empty<StreamHeader>(),
                    Header(StreamHeader.Op, "delete"),
                ], markerFollows: !isNamed && i == keys.Length - 1, key: keys[i]);
            if (i == 0) between?.Invoke();
        }
        return [.. partitions[partition].Skip(first)];
    }

    /// <summary>The log's end is lost: what is produced next has its offsets.</summary>
    public void LoseFrom(int partition, long offset)
    {
        partitions[partition].RemoveAll(r => r.Offset >= offset);
        next[partition] = offset;
    }

    public StreamRecord Produce(int partition, string? value, StreamHeader[]? headers = null, bool markerFollows = false, string? key = "1")
    {
        var offset = next.GetValueOrDefault(partition);
        var record = new StreamRecord(
            partition, offset, Bytes(key), Bytes(value), 1_760_000_000_000 + offset, headers is { Length: > 0 } ? headers : null);
        Add(record, markerFollows);
        return record;
    }

    /// <summary>A record as it is, behind those of its partition.</summary>
    public void Add(StreamRecord record, bool markerFollows)
    {
        if (!partitions.TryGetValue(record.Partition, out var records)) partitions[record.Partition] = records = [];
        records.Add(record);
        next[record.Partition] = record.Offset + (markerFollows ? 2 : 1);
    }

    /// <summary>Offsets that hold no record for a reader of committed ones.</summary>
    public void Skip(int partition, int offsets) => next[partition] = next.GetValueOrDefault(partition) + offsets;

    /// <summary>Compaction: a record in the middle is gone.</summary>
    public void Compact(int partition, long offset) => partitions[partition].RemoveAll(r => r.Offset == offset);

    /// <summary>Retention: what is below is gone.</summary>
    public void Remove(int partition, long below)
    {
        low[partition] = below;
        partitions[partition].RemoveAll(r => r.Offset < below);
    }

    public static StreamHeader Header(string name, string value) => new(name, Encoding.UTF8.GetBytes(value));

    public static string Row(long id, string day = "2026-02-28") =>
        $$"""{"order_id":{{id}},"status":"PLACED","created_at":"{{day}}T12:00:00.000000Z","updated_at":"2026-03-01T00:00:00.000000Z"}""";

    private async IAsyncEnumerable<StreamRecord> ReadRangeAsync(
        int partition, long from, long toExclusive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        lock (Read) Read.Add((partition, from, toExclusive));
        foreach (var record in partitions.GetValueOrDefault(partition) ?? [])
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (record.Offset >= from && record.Offset < Math.Min(toExclusive, StableEnd(partition))) yield return record;
        }
    }

    private static byte[]? Bytes(string? text) => text is null ? null : Encoding.UTF8.GetBytes(text);
}
