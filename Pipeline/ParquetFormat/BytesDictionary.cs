using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrdersStream.Memory;

namespace OrdersStream.ParquetFormat;

/// <summary>
/// The distinct values of a text column in one row group, and for the data page added last each value's index among them. Columns
/// such as a status or a restaurant shrink to a few bits a value. It closes where values hardly repeat: the data pages that were
/// added stay indexed, the rest of the row group is not.
/// </summary>
internal sealed class BytesDictionary
{
    private const int BytesMax = 1024 * 1024;
    private const int ValueBytesMax = 1024;
    private const int TrialValues = 8192;
    private const int FirstSlots = 512;

    private readonly ByteBuffer plain = new();
    private int[] slots = new int[FirstSlots];

    /// <summary>Of the array: one that is large from another column would be slow to clear, and to look into.</summary>
    private int slotsUsed = FirstSlots;
    private int[] starts = new int[256];
    private uint[] hashes = new uint[256];
    private int[] indices = [];
    private bool closed;

    public int Count { get; private set; }

    /// <summary>What its arrays take.</summary>
    public long MemoryHeld =>
        HeldMemory.Of(plain.Array) + HeldMemory.Of(slots) + HeldMemory.Of(starts) + HeldMemory.Of(hashes) + HeldMemory.Of(indices);

    /// <summary>The distinct values in the PLAIN encoding, by index.</summary>
    public ReadOnlySpan<byte> Plain => plain.Written;

    public int BitWidth => Math.Max(1, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(0, Count - 1)));

    public ReadOnlySpan<byte> this[int index] =>
        plain.Written[(starts[index] + ByteArrayBuffer.PrefixBytes)..(index + 1 < Count ? starts[index + 1] : plain.Length)];

    /// <summary>Indices of the values of a data page, right after <see cref="TryAdd"/>.</summary>
    public ReadOnlySpan<int> Indices(int count) => indices.AsSpan(0, count);

    /// <summary>False when the dictionary does not pay for the data page: it is then as it was before, and closed.</summary>
    public bool TryAdd(ByteArrayBuffer page)
    {
        if (closed) return false;
        var (count, bytes) = (Count, plain.Length);
        if (indices.Length < page.Values) indices = new int[page.Values];
        closed = !TryIndex(page, count) || plain.Length - bytes + (long)page.Values * BitWidth / 8 >= page.PlainBytes;
        if (!closed) return true;
        Count = count;
        plain.Truncate(bytes);
        return false;
    }

    /// <summary>Empties it for the next row group.</summary>
    public void Clear()
    {
        Array.Clear(slots, 0, slotsUsed);
        slotsUsed = FirstSlots;
        plain.Clear();
        Count = 0;
        closed = false;
    }

    private bool TryIndex(ByteArrayBuffer page, int countBefore)
    {
        for (var i = 0; i < page.Values; i++)
        {
            var value = page[i];
            if (value.Length > ValueBytesMax || plain.Length > BytesMax) return false;
            if (i == TrialValues && Count - countBefore > TrialValues * 3 / 4) return false;
            indices[i] = IndexOf(value);
        }
        return true;
    }

    private int IndexOf(ReadOnlySpan<byte> value)
    {
        var hash = Hash(value);
        var mask = (uint)(slotsUsed - 1);
        var slot = hash & mask;
        for (; slots[slot] != 0; slot = (slot + 1) & mask)
        {
            var index = slots[slot] - 1;
            if (hashes[index] == hash && this[index].SequenceEqual(value)) return index;
        }
        slots[slot] = Count + 1;
        return Add(hash, value);
    }

    private int Add(uint hash, ReadOnlySpan<byte> value)
    {
        starts[Count] = plain.Length;
        hashes[Count] = hash;
        BinaryPrimitives.WriteInt32LittleEndian(plain.GetSpan(ByteArrayBuffer.PrefixBytes), value.Length);
        plain.Advance(ByteArrayBuffer.PrefixBytes);
        plain.Append(value);
        Count++;
        if (Count == slotsUsed / 2) Grow();
        return Count - 1;
    }

    /// <summary>Keeps the table at most half full.</summary>
    private void Grow()
    {
        if (starts.Length < Count * 2)
        {
            Array.Resize(ref starts, Count * 2);
            Array.Resize(ref hashes, Count * 2);
            slots = new int[Count * 4];
        }
        else
        {
            Array.Clear(slots, 0, Count * 4);
        }
        slotsUsed = Count * 4;
        var mask = (uint)(slotsUsed - 1);
        for (var index = 0; index < Count; index++)
        {
            var slot = hashes[index] & mask;
            while (slots[slot] != 0) slot = (slot + 1) & mask;
            slots[slot] = index + 1;
        }
    }

    /// <summary>
    /// Eight bytes at a time, mixed by multiplication. Not for use across processes, nor against an adversary: collisions cost time
    /// only.
    /// </summary>
    private static uint Hash(ReadOnlySpan<byte> value)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        var hash = (ulong)value.Length * Multiplier;
        while (value.Length >= sizeof(ulong))
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(value), Multiplier);
            value = value[sizeof(ulong)..];
        }
        ulong tail = 0;
        foreach (var b in value) tail = tail << 8 | b;
        hash = Mix(hash ^ tail, Multiplier);
        return (uint)(hash >> 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong value, ulong multiplier)
    {
        var high = Math.BigMul(value, multiplier, out var low);
        return high ^ low;
    }
}

/// <summary>
/// Dictionaries that no column has, used again by the next: files with few rows are encoded one after another, and share one. For one
/// thread; keeps a bounded size (invariant 7).
/// </summary>
/// <param name="held">Where those in use count.</param>
internal sealed class IdleDictionaries(HeldMemory held)
{
    private const long BytesMax = 16 * 1024 * 1024;

    private readonly Stack<BytesDictionary> idle = [];
    private long idleBytes;

    public BytesDictionary Rent()
    {
        if (!idle.TryPop(out var dictionary)) dictionary = new BytesDictionary();
        else idleBytes -= dictionary.MemoryHeld;
        held.Add(dictionary.MemoryHeld);
        return dictionary;
    }

    /// <summary>Adds a page to one that is rented.</summary>
    public bool TryAdd(BytesDictionary dictionary, ByteArrayBuffer page)
    {
        var before = dictionary.MemoryHeld;
        var isAdded = dictionary.TryAdd(page);
        held.Add(dictionary.MemoryHeld - before);
        return isAdded;
    }

    public void Return(BytesDictionary dictionary)
    {
        held.Add(-dictionary.MemoryHeld);
        if (idleBytes + dictionary.MemoryHeld > BytesMax) return;
        idleBytes += dictionary.MemoryHeld;
        dictionary.Clear();
        idle.Push(dictionary);
    }
}
