using CsCheck;
using OrdersStream.Kafka;
using OrdersStream.Memory;
using OrdersStream.Rows;
using OrdersStream.Store;

namespace OrdersStream.UnitTests.Store;

/// <summary>A page's part holds its records as they came, and no longer than it is needed.</summary>
public sealed class PagePartTests
{
    private static readonly PageStart Start = new(7, "publisher", 1, 6, [1], 4, null, false, "");

    private static readonly Gen<byte[]?> Bytes =
        Gen.Frequency((1, Gen.Const((byte[]?)null)), (6, Gen.Byte.Array[0, 400]), (1, Gen.Byte.Array[70_000, 150_000]));

    private static readonly Gen<(StreamRecord Record, bool IsForeign)[]> Records = Gen.Select(
            Bytes, Bytes, Gen.Long, Gen.Bool, Gen.Bool,
            (key, value, timestamp, hasHeaders, isForeign) =>
                (new StreamRecord(1, 0, key, value, timestamp, hasHeaders ? [new("name", key)] : null), isForeign))
        .Array[1, 20].Select(all => all.Select((r, i) => (r.Item1 with { Offset = 100 + i * 2 }, r.isForeign)).ToArray());

    private readonly HeldMemory held = new();
    private readonly BlockPool blocks;

    public PagePartTests() => blocks = new BlockPool(held, 1024 * 1024);

    [Fact]
    public void its_records_come_back_as_they_went_in() => Records.Sample(all =>
    {
        var part = new PagePart(Start, 100, blocks);
        foreach (var (record, isForeign) in all) part.Hold(in record, isForeign);
        Assert.Equal((all.Length, all.Count(r => !r.IsForeign), all[^1].Record.Offset), (part.Count, part.Own, part.LastOffset));

        var (records, digests) = (part.Read(), part.Digests());
        foreach (var (record, isForeign) in all)
        {
            Assert.True(records.Next());
            Assert.Equal(isForeign, records.IsForeign);
            Assert.Equal(record is { Key: not null, Value: not null, Headers: null }, records.IsPlain);
            var read = records.ToRecord(1);
            Assert.True(IsSame(record.Key, read.Key) && IsSame(record.Value, read.Value));
            Assert.Equal(record, read with { Key = record.Key, Value = record.Value });
            Assert.Contains(records.Digest(), digests);
        }
        Assert.False(records.Next());
        part.Clear();
    }, iter: 50, threads: 1);

    private static bool IsSame(byte[]? one, byte[]? other) =>
        one is null ? other is null : other is not null && one.AsSpan().SequenceEqual(other);

    [Fact]
    public void a_record_without_a_key_has_another_digest_than_one_with_an_empty_key()
    {
        var part = new PagePart(Start, 100, blocks);
        part.Hold(new StreamRecord(1, 100, null, [1], 0, null), isForeign: false);
        part.Hold(new StreamRecord(1, 101, [], [1], 0, null), isForeign: false);
        part.Hold(new StreamRecord(1, 102, [], [1], 5, null), isForeign: false);
        Assert.Equal(2, part.Digests().Count);
    }

    [Fact]
    public void headers_are_what_waits_as_well()
    {
        var part = new PagePart(Start, 100, blocks);
        for (var i = 0; i < 10; i++) part.Hold(new StreamRecord(1, 100 + i, [1], [1], 0, [new("name", new byte[1024])]), isForeign: true);
        Assert.InRange(part.Bytes, 10 * 1024, 12 * 1024);
        Assert.InRange(held.Bytes, part.Bytes, 14 * 1024);
        part.Clear();
        Assert.Equal(0, held.Bytes);
    }

    [Fact]
    public void a_part_that_is_decided_gives_its_memory_to_the_next()
    {
        var part = new PagePart(Start, 100, blocks);
        part.Hold(100, 0, new byte[8], new byte[100_000]);
        Assert.InRange(held.Bytes, 100_000, 200_000);
        part.Clear();
        Assert.Equal(0, held.Bytes);
    }
}
