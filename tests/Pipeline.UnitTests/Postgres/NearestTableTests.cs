using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Postgres;

public sealed class NearestTableTests
{
    private static readonly (string, string?)[] Found =
        [("public", "roll001_orders"), ("public", "other"), ("sales", "orders"), ("empty", null)];

    [Theory]
    [InlineData("public", "ROLL001_orders", "There is roll001_orders: Postgres makes small letters")]
    [InlineData("public", "public.roll001_orders", "Write the schema as postgres.schema: public, and roll001_orders as postgres.table.")]
    [InlineData("public", "sales.orders", "Write the schema as postgres.schema: sales, and orders as postgres.table.")]
    [InlineData("public", "public.ROLL001_orders", "Write the schema as postgres.schema: public, and roll001_orders as postgres.table.")]
    [InlineData("public", "PUBLIC.rol001_orders", "Write the schema as postgres.schema: public, and roll001_orders as postgres.table.")]
    [InlineData("public", "nowhere.roll001_orders", "")]
    [InlineData("public", "orders", "There is one in schema sales: set postgres.schema.")]
    [InlineData("public", "rol001_orders", "Did you mean roll001_orders?")]
    [InlineData("sale", "order", "There is no schema sale; did you mean sales?")]
    [InlineData("nowhere", "x", "There is no schema nowhere.")]
    [InlineData("public", "something_else", "")]
    [InlineData("empty", "x", "")]
    public void the_table_that_may_be_meant_is_named(string schema, string table, string expected)
    {
        var hint = NearestTable.Of(schema, table, Found);
        if (expected == "") Assert.Equal("", hint);
        else Assert.StartsWith(expected, hint);
    }
}
