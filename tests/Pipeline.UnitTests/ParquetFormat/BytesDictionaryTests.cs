using System.Text;
using OrdersStream.Memory;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.ParquetFormat;

public sealed class BytesDictionaryTests
{
    private readonly BytesDictionary dictionary = new();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(256, 8)]
    [InlineData(257, 9)]
    [InlineData(5_000, 13)]
    public void each_value_is_kept_once_and_indexed_in_the_fewest_bits(int distinct, int bitWidth)
    {
        var values = Enumerable.Range(0, 20_000).Select(i => $"customer {i * 7 % distinct}").ToArray();
        Assert.True(TryBuild(values));
        Assert.Equal((distinct, bitWidth), (dictionary.Count, dictionary.BitWidth));
        Assert.Equal(values, dictionary.Indices(values.Length).ToArray().Select(index => Encoding.UTF8.GetString(dictionary[index])));
    }

    [Fact]
    public void a_second_page_uses_what_the_first_brought_and_adds_its_own()
    {
        Assert.True(TryAdd([.. Enumerable.Range(0, 1_000).Select(i => $"item {i % 3}")]));
        Assert.True(TryAdd([.. Enumerable.Range(0, 1_000).Select(i => $"item {i % 5}")]));
        Assert.Equal((5, 3), (dictionary.Count, dictionary.BitWidth));
        Assert.Equal([0, 1, 2, 3, 4, 0], dictionary.Indices(6).ToArray());
    }

    [Fact]
    public void a_page_that_hardly_repeats_closes_it_and_leaves_what_was_there()
    {
        Assert.True(TryAdd([.. Enumerable.Range(0, 1_000).Select(i => $"item {i % 3}")]));
        var plain = dictionary.Plain.ToArray();
        Assert.False(TryAdd([.. Enumerable.Range(0, 20_000).Select(i => $"note {i}")]));
        Assert.False(TryAdd([.. Enumerable.Range(0, 1_000).Select(i => $"item {i % 3}")]));
        Assert.Equal(3, dictionary.Count);
        Assert.Equal(plain, dictionary.Plain.ToArray());
    }

    [Fact]
    public void values_that_hardly_repeat_have_none() => Assert.False(TryBuild([.. Enumerable.Range(0, 20_000).Select(i => $"note {i}")]));

    [Fact]
    public void long_values_have_none() => Assert.False(TryBuild([.. Enumerable.Repeat(new string('x', 2_000), 100)]));

    [Fact]
    public void it_is_built_anew_for_the_next_row_group()
    {
        Assert.True(TryBuild([.. Enumerable.Range(0, 20_000).Select(i => $"old {i % 4_000}")]));
        Assert.True(TryBuild([.. Enumerable.Range(0, 100).Select(i => $"new {i % 2}")]));
        Assert.Equal(2, dictionary.Count);
    }

    private bool TryBuild(string[] values)
    {
        dictionary.Clear();
        return TryAdd(values);
    }

    private bool TryAdd(string[] values)
    {
        var text = ParquetSchema.TypeOf(new ColumnType(ColumnKind.Text, "text"));
        var column = new ByteArrayBuffer(new ParquetColumn("v", text, Nullable: false), new HeldMemory());
        foreach (var value in values) column.AppendRow(Encoding.UTF8.GetBytes(value));
        return dictionary.TryAdd(column);
    }
}
