using System.Text.RegularExpressions;

namespace OrdersStream.Postgres;

/// <summary>
/// Whether the body of a trigger's function always sets a column from the clock. What a program does cannot be told in general, so these
/// are the forms that do nothing else; db/orders.sql has the longest of them.
/// </summary>
internal static partial class ClockFunction
{
    // Not the statement's time: that of a procedure stays while it commits one transaction and begins the next. A transaction's is never
    // before its message, which holds a horizon's bound, too.
    private const string Clock = @"(?:current_timestamp|(?:pg_catalog \. )?(?:clock_timestamp|transaction_timestamp|now) \( \))";

    /// <summary>Stands for the column. No token of a body is like it.</summary>
    private const string Column = "$column";

    /// <param name="body">Of a function in PL/pgSQL.</param>
    /// <param name="column">The column's name, as the catalogue has it.</param>
    public static bool AlwaysSets(string body, string column) => SetsAlways().IsMatch(Normal(body, column));

    /// <summary>The clock that a body asks by its name alone, so that another schema's may answer; null: none.</summary>
    public static string? Unqualified(string body) =>
        Bare().Match(Normal(body, column: "")) is { Success: true } clock ? clock.Groups[1].Value : null;

    /// <summary>Whether it has to do with the column at all.</summary>
    public static bool Mentions(string body, string column) =>
        $" {Normal(body, column)} ".Contains($" {Column} ", StringComparison.Ordinal);

    /// <summary>
    /// Its tokens with a space between each two, without comments; names as the server folds them, and <see cref="Column"/> for the
    /// column's.
    /// </summary>
    private static string Normal(string body, string column)
    {
        var quoted = Sql.Identifier(column);
        return string.Join(' ', Token().Matches(Comment().Replace(body, " ")).Select(m => Name(m.Value)));

        // A quoted name is the same one only where the other is folded to it.
        string Name(string token)
        {
            var name = IsQuoted(token) ? token : token.ToLowerInvariant();
            return name == quoted || (name == column && Folded().IsMatch(column)) ? Column : name;
        }
    }

    private static bool IsQuoted(string token) => token[0] is '"' or '\'';

    // Written out by the compiler: what would be made of a pattern at run time takes megabytes and a tenth of a second of each start.
    [GeneratedRegex(
        @"\Abegin new \. \$column :?= " + Clock + " ; (?:if tg_op = 'UPDATE' then new \\. created_at :?= old \\. created_at ; end if ; )?"
        + @"return new ; end(?: ;)?\z", RegexOptions.CultureInvariant)]
    private static partial Regex SetsAlways();

    [GeneratedRegex(@"= (clock_timestamp|transaction_timestamp|now) \( \)", RegexOptions.CultureInvariant)]
    private static partial Regex Bare();

    // One within another leaves its end behind, and what is left is no form.
    [GeneratedRegex(@"--[^\r\n]*|/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comment();

    [GeneratedRegex("""
        "(?:[^"]|"")*"|'(?:[^']|'')*'|[\p{L}_][\p{L}\p{N}_$]*|:=|\S
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Token();

    [GeneratedRegex(@"\A[a-z_][a-z0-9_]*\z")]
    private static partial Regex Folded();
}
