using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Postgres;

public sealed class TableFactsTests
{
    /// <summary>More than nine columns: as texts, their numbers have another order.</summary>
    private static readonly string[] Names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

    [Fact]
    public void columns_that_had_one_anothers_names_while_they_were_read_are_mixed()
    {
        var facts = FactsOf(Names);
        Assert.False(facts.ReadBy(SchemaOf(Names)).IsMixed);
        Assert.True(facts.ReadBy(SchemaOf(["b", "a", .. Names[2..]])).IsMixed);
        Assert.True(facts.ReadBy(SchemaOf(["x", .. Names[1..]])).IsMixed);
        Assert.True(facts.ReadBy(SchemaOf(Names[1..])).IsMixed);
        // One that was added changes no value.
        Assert.False(facts.ReadBy(SchemaOf([.. Names, "later"])).IsMixed);
    }

    [Fact]
    public void a_column_that_is_not_carried_is_not_looked_for_in_what_was_read()
    {
        var facts = FactsOf(Names, "c", "l");
        Assert.False(facts.ReadBy(SchemaOf(Names.Where(n => n is not ("c" or "l")))).IsMixed);
        Assert.True(facts.ReadBy(SchemaOf(Names.Where(n => n is not ("b" or "c" or "l")))).IsMixed);
    }

    /// <summary>Rows that are in the lake have no value of it there.</summary>
    [Fact]
    public void a_column_that_was_left_out_and_is_carried_reads_otherwise()
    {
        var (without, with) = (FactsOf(Names, "c"), FactsOf(Names));
        Assert.Equal("a column is carried that was not", without.WhatReadsOtherwise(with, [], []));
        Assert.Equal("", with.WhatReadsOtherwise(without, [], []));
        Assert.Equal("", without.WhatReadsOtherwise(without, [], []));
        // A position of an earlier version has none that are not carried.
        var earlier = without with { Values = without.Values.Remove("a3") };
        Assert.Equal("", earlier.WhatReadsOtherwise(without, [], []));
    }

    /// <summary>Its times say nothing of the other's; and a window that was read by another for a while has left rows out.</summary>
    [Fact]
    public void another_column_that_orders_the_rows_is_told_and_one_that_is_not_known_is_not()
    {
        var byB = FactsOf(Names) with { OrderedBy = "a2" };
        var byC = byB with { OrderedBy = "a3" };
        Assert.Equal("another column orders the rows", byB.WhatReadsOtherwise(byC, [], []));
        Assert.Equal((true, false), (byB.IsAsIn(byB), byB.IsAsIn(byC)));
        var earlier = FactsOf(Names);
        Assert.Equal(("", true), (earlier.WhatReadsOtherwise(byB, [], []), earlier.IsAsIn(byB)));
        // The schema's is the second.
        Assert.Equal((false, true), (byB.ReadBy(SchemaOf(Names)).IsMixed, byC.ReadBy(SchemaOf(Names)).IsMixed));
    }

    private static TableFacts FactsOf(IEnumerable<string> names, params string[] leftOut) => new(
        "", true, names.Select((n, i) => KeyValuePair.Create($"a{i + 1}", $"{Digest(n)}:{(leftOut.Contains(n) ? "-" : "text")}"))
            .Append(KeyValuePair.Create("l17", "label")).ToImmutableSortedDictionary(StringComparer.Ordinal), []);

    private static string Digest(string name) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)))[..8];

    private static TableSchema SchemaOf(IEnumerable<string> names)
    {
        var columns = names.Select(n => new Column(n, new ColumnType(ColumnKind.Text, "text"), true)).ToImmutableArray();
        return new TableSchema(columns, [0], 1);
    }
}
