using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Rows;

public sealed class ReaderNamesTests
{
    [Theory]
    [InlineData("order_date", "Order_Date", true)]
    [InlineData("É", "é", true)]
    [InlineData("ſtatus", "STATUS", true)]
    [InlineData("\u212Aey", "key", true)]
    [InlineData("I", "ı", true)]
    [InlineData("İd", "id", true)]
    [InlineData("Σ", "ς", true)]
    [InlineData("order_date", "orderdate", false)]
    [InlineData("a", "b", false)]
    [InlineData("é", "e", false)]
    public void names_are_one_where_some_reader_takes_them_for_one(string name, string other, bool areOne) =>
        Assert.Equal(areOne, ReaderNames.AreOne(name, other));
}
