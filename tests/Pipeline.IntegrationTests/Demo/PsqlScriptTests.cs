using OrdersStream.Demo.Servers;

namespace OrdersStream.IntegrationTests.Demo;

public sealed class PsqlScriptTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    [Theory]
    [InlineData("SELECT :'a';", "SELECT 'it''s';")]
    [InlineData("SELECT :\"a\";", "SELECT \"it's\";")]
    [InlineData("SELECT ':a', ':''a''';", "SELECT ':a', ':''a''';")]
    [InlineData("SELECT \"x:'a'\";", "SELECT \"x:'a'\";")]
    [InlineData("SELECT $$ :'a' $$, $t$ :'a' $t$;", "SELECT $$ :'a' $$, $t$ :'a' $t$;")]
    [InlineData("SELECT 1::text, '2'::\"text\"; -- :'a'", "SELECT 1::text, '2'::\"text\"; -- :'a'")]
    [InlineData("/* :'a' */ SELECT :'a';", "/* :'a' */ SELECT 'it''s';")]
    [InlineData("SELECT :'b';", "SELECT  E'c:\\\\d';")]
    public void variables_are_quoted_as_psql_quotes_them(string script, string sql) =>
        Assert.Equal(sql + "\n", PsqlScript.ToSql(script, new Dictionary<string, string> { ["a"] = "it's", ["b"] = "c:\\d" }, Nothing));

    [Fact]
    public void a_variable_given_wins_over_the_environment_and_that_over_the_default()
    {
        const string script = "\\if :{?x}\n\\else\n\\set x default\n\\getenv x X\n\\endif\nSELECT :'x';";
        Assert.Equal("SELECT 'default';\n", PsqlScript.ToSql(script, Nothing, Nothing));
        Assert.Equal("SELECT 'env';\n", PsqlScript.ToSql(script, Nothing, new Dictionary<string, string> { ["X"] = "env" }));
        Assert.Equal(
            "SELECT 'given';\n",
            PsqlScript.ToSql(script, new Dictionary<string, string> { ["x"] = "given" }, new Dictionary<string, string> { ["X"] = "env" }));
    }

    [Fact]
    public void set_joins_its_words() =>
        Assert.Equal("SELECT \"demo_orders\";\n", PsqlScript.ToSql("\\set r demo\n\\set t :r _orders\nSELECT :\"t\";", Nothing, Nothing));

    [Theory]
    [InlineData("\\gexec", "\\gexec")]
    [InlineData("\\if yes\n\\endif", "\\if")]
    [InlineData("\\if :{?x}", "\\if without \\endif")]
    [InlineData("SELECT :'unset'", "unset")]
    public void what_is_not_understood_is_refused_by_name(string script, string named) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => PsqlScript.ToSql(script, Nothing, Nothing)).Message);
}
