using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Rows;

public sealed class RowOpTests
{
    [Theory]
    [InlineData("upsert")]
    [InlineData("delete")]
    public void a_word_of_the_lake_is_one_object_for_all_rows(string word)
    {
        var op = RowOp.Of(System.Text.Encoding.UTF8.GetBytes(word));
        Assert.Equal(word, op);
        Assert.Same(op, RowOp.Of(System.Text.Encoding.UTF8.GetBytes(word)));
    }

    [Fact]
    public void another_producers_word_is_carried_as_it_is() => Assert.Equal("merge é", RowOp.Of("merge é"u8));

    [Fact]
    public void the_lakes_columns_are_known_by_these_names()
    {
        Assert.Equal(["_op", "_partition", "_offset", "_version"], LakeColumns.All);
        Assert.All(LakeColumns.All, name => Assert.True(LakeColumns.Contains(name)));
        Assert.All(LakeColumns.All, name => Assert.True(LakeColumns.Contains(name.ToUpperInvariant())));
        Assert.False(LakeColumns.Contains("offset"));
    }
}
