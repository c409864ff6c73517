using System.Runtime.InteropServices;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Capture;

/// <summary>Where one row version's message lies in its page: the key, and the value behind it, which a delete has not.</summary>
public readonly record struct PageRecord(int Start, int KeyBytes, int ValueBytes, int Partition);

/// <summary>
/// A bounded slice of a window, in its order: the unit of publishing. All messages lie in one buffer, which the next page
/// takes over: an array a row would outlive the youngest generation and be copied by each collection (a fifth of capture's CPU).
/// </summary>
/// <param name="size">Bytes at which it will be complete: the last row goes beyond.</param>
public sealed class Page(int size)
{
    private const int RoomForLastRow = 64 * 1024;
    private const int FirstRecords = 1024;

    private readonly List<PageRecord> records = [];
    private readonly ByteBuffer messages = new(Math.Min(size, 64 * 1024), size + RoomForLastRow, pinned: true);

    /// <summary>Of all rows.</summary>
    public TableSchema Schema { get; private set; } = null!;

    public ReadOnlySpan<PageRecord> Records => CollectionsMarshal.AsSpan(records);

    /// <summary>Bytes of all keys and values.</summary>
    public long Bytes => messages.Length;

    /// <summary>Bytes that it keeps for the next rows.</summary>
    public long Capacity => messages.Array.Length;

    /// <summary>Its records say that rows are gone: each has a key and no value.</summary>
    public bool IsDeletes { get; private set; }

    /// <summary>Those rows are in the table, and count as deleted.</summary>
    public bool IsOfMarked { get; private set; }

    /// <summary>The last row, or tombstone. Set when the page is complete.</summary>
    public Cursor? Cursor { get; internal set; }

    /// <summary>In memory that does not move once the page is complete; so is the value.</summary>
    public ReadOnlySpan<byte> Key(PageRecord record) => messages.Written.Slice(record.Start, record.KeyBytes);

    public ReadOnlySpan<byte> Value(PageRecord record) => messages.Written.Slice(record.Start + record.KeyBytes, record.ValueBytes);

    /// <summary>Empties it for rows of a schema.</summary>
    /// <param name="schema">Theirs.</param>
    /// <param name="isDeletes">They are gone.</param>
    /// <param name="isOfMarked">Or count as such.</param>
    internal Page Begin(TableSchema schema, bool isDeletes = false, bool isOfMarked = false)
    {
        records.Clear();
        messages.Clear();
        (Schema, Cursor, IsDeletes, IsOfMarked) = (schema, null, isDeletes, isOfMarked);
        return this;
    }

    internal void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, int partition)
    {
        if (records.Count == records.Capacity) records.EnsureCapacity(ExpectedRecords());
        records.Add(new PageRecord(messages.Length, key.Length, value.Length, partition));
        messages.Append(key);
        messages.Append(value);
    }

    /// <summary>
    /// As many as there will be if rows go on as they began: an array that doubled would be half empty, and leave as much behind.
    /// </summary>
    private int ExpectedRecords()
    {
        if (records.Count < FirstRecords) return FirstRecords;
        var expected = records.Count * (long)size / messages.Length;
        return (int)Math.Clamp(expected + expected / 16, records.Count + records.Count / 4, Array.MaxLength);
    }
}
