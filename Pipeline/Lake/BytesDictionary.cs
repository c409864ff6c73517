using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>
/// The distinct values of a text column in one row group, and each value's index among them. Columns such as a status or
/// a restaurant shrink to a few bits a value. It gives up early where values hardly repeat.
/// </summary>
internal sealed class BytesDictionary
{
    private const int BytesMax = 1024 * 1024;
    private const int ValueBytesMax = 1024;
    private const int TrialValues = 8192;

    private readonly ByteBuffer plain = new(64 * 1024);
    private int[] slots = new int[4096];
    private int[] firstValues = new int[2048];
    private uint[] hashes = new uint[2048];
    private int[] indices = [];

    public int Count { get; private set; }

    /// <summary>The distinct values in the PLAIN encoding, by index.</summary>
    public ReadOnlySpan<byte> Plain => plain.Written;

    /// <summary>The value of the column at which each distinct value was first seen.</summary>
    public ReadOnlySpan<int> FirstValues => firstValues.AsSpan(0, Count);

    public int BitWidth => Math.Max(1, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(0, Count - 1)));

    /// <summary>Indices of a run of values, counted from the first value given to <see cref="TryBuild"/>.</summary>
    public ReadOnlySpan<int> Indices(int from, int count) => indices.AsSpan(from, count);

    /// <summary>False when the dictionary would not pay.</summary>
    public bool TryBuild(BytesBuffer column, PageSlice slice)
    {
        Reset(slice.Values);
        for (var i = 0; i < slice.Values; i++)
        {
            var value = column[slice.Value + i];
            if (value.Length > ValueBytesMax || plain.Length > BytesMax) return false;
            if (i == TrialValues && Count > TrialValues * 3 / 4) return false;
            indices[i] = IndexOf(value, column, slice.Value + i);
        }
        return plain.Length + (long)slice.Values * BitWidth / 8 < column.PlainBytes(slice);
    }

    private void Reset(int values)
    {
        Array.Clear(slots);
        plain.Clear();
        Count = 0;
        if (indices.Length < values) indices = new int[values];
    }

    private int IndexOf(ReadOnlySpan<byte> value, BytesBuffer column, int at)
    {
        var hash = Hash(value);
        var slot = hash & (uint)(slots.Length - 1);
        for (; slots[slot] != 0; slot = (slot + 1) & (uint)(slots.Length - 1))
        {
            var index = slots[slot] - 1;
            if (hashes[index] == hash && column[firstValues[index]].SequenceEqual(value)) return index;
        }
        slots[slot] = Count + 1;
        return Add(hash, column, at);
    }

    private int Add(uint hash, BytesBuffer column, int at)
    {
        plain.Append(column.Plain(at));
        firstValues[Count] = at;
        hashes[Count] = hash;
        Count++;
        if (Count == firstValues.Length) Grow();
        return Count - 1;
    }

    /// <summary>Keeps the table at most half full.</summary>
    private void Grow()
    {
        Array.Resize(ref firstValues, Count * 2);
        Array.Resize(ref hashes, Count * 2);
        slots = new int[Count * 4];
        for (var index = 0; index < Count; index++)
        {
            var slot = hashes[index] & (uint)(slots.Length - 1);
            while (slots[slot] != 0) slot = (slot + 1) & (uint)(slots.Length - 1);
            slots[slot] = index + 1;
        }
    }

    /// <summary>Eight bytes at a time, mixed by multiplication. Not for use across processes, nor against an adversary: collisions cost time only.</summary>
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
