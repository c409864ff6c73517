using OrdersStream.Diagnostics;
using OrdersStream.Postgres;

namespace OrdersStream.UnitTests.Postgres;

public sealed class RowPredicateTests
{
    private static readonly string[] Columns = ["id", "is_deleted", "deleted_at", "status", "Kind", "naïve", "hidden"];

    private static string Parse(string text) => RowPredicate.Parse(text, Columns, ["hidden"], "\"public\".\"orders\"");

    [Theory]
    [InlineData("is_deleted")]
    [InlineData("IS_DELETED")]
    [InlineData("NOT is_deleted")]
    [InlineData("deleted_at IS NOT NULL")]
    [InlineData("deleted_at is distinct from null and (status = 'it''s gone' or status IN ('x', 'y'))")]
    [InlineData("\"Kind\" = 7.5e3 AND id >= -1")]
    [InlineData("status LIKE 'del%' AND naïve")]
    [InlineData("deleted_at BETWEEN '2026-01-01' AND '2026-12-31'")]
    public void a_condition_of_the_rows_own_columns_is_taken_as_it_is(string text) => Assert.Equal(text, Parse($" {text} "));

    /// <summary>Each could be true at one time and not at another, of one and the same row; or would end the statement.</summary>
    [Theory]
    [InlineData("deleted_at < now()", "a function may change")]
    [InlineData("lower (status) = 'x'", "a function may change")]
    [InlineData("\"Kind\" = 1 OR \"pg_sleep\"(1)", "no column pg_sleep")]
    [InlineData("deleted_at < CURRENT_TIMESTAMP", "no column current_timestamp")]
    [InlineData("deleted_at < ' Now '", "another time each day")]
    [InlineData("id IN (SELECT id FROM others)", "no column select")]
    [InlineData("is_deleted; DROP TABLE orders", "a condition has column names")]
    [InlineData("is_deleted -- comment", "begins a comment")]
    [InlineData("is_deleted /* comment", "begins a comment")]
    [InlineData("status = E'\\'' OR true", "single quotes alone")]
    [InlineData("status = $1$x$1$", "a condition has column names")]
    [InlineData("status::xid IS NULL", "a condition has column names")]
    [InlineData("xmin IS NULL", "no column xmin")]
    [InlineData("Kind", "no column kind")]
    [InlineData("Kind = 1", "There is Kind: write it in double quotes, as in deleted_when: '\"Kind\"'")]
    [InlineData("deleted_at < 'today 08:00'", "another time each day")]
    [InlineData("hidden", "is not carried")]
    [InlineData("is_delete", "Did you mean is_deleted?")]
    [InlineData("is_deleted) OR (true", "closed that was not opened")]
    [InlineData("(is_deleted", "not closed")]
    [InlineData("status = 'x", "opened and not closed")]
    [InlineData("  ", "it is empty")]
    public void what_may_change_without_the_row_is_refused_by_name(string text, string why)
    {
        var refused = Assert.Throws<PipelineException>(() => Parse(text));
        Assert.Equal(FailureAction.Stop, refused.Action);
        Assert.Contains("postgres.deleted_when", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, $"{refused.Message} {refused.Remedy}", StringComparison.Ordinal);
    }
}
