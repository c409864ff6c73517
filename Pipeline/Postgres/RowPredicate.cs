using System.Text;
using Npgsql;
using OrdersStream.Diagnostics;

namespace OrdersStream.Postgres;

/// <summary>
/// The condition by which a row counts as deleted (<c>postgres.deleted_when</c>), over its own columns: their names, constants,
/// comparisons, AND, OR, NOT. What else SQL has is refused, for the value must change with the row alone: a function, the clock or another
/// table would change it without a new version of the row, and nothing would be seen of that.
/// </summary>
internal static class RowPredicate
{
    private const string Operators = "<>=!~+-*/%|&#";

    private static readonly HashSet<string> Words = new(StringComparer.OrdinalIgnoreCase)
    {
        "AND", "OR", "NOT", "IS", "NULL", "TRUE", "FALSE", "UNKNOWN", "IN", "BETWEEN", "LIKE", "ILIKE", "DISTINCT", "FROM",
    };

    /// <summary>Texts that are times which pass.</summary>
    private static readonly HashSet<string> PassingTimes = new(StringComparer.OrdinalIgnoreCase)
    {
        "now", "today", "tomorrow", "yesterday",
    };

    /// <summary>The condition as SQL has it: what was given, once all of it is known.</summary>
    /// <param name="text">As it was configured.</param>
    /// <param name="columns">Names of the table's columns.</param>
    /// <param name="excluded">Those of them that are not carried.</param>
    /// <param name="table">The table, quoted.</param>
    /// <exception cref="PipelineException">It has something else, or is not whole.</exception>
    public static string Parse(string text, IReadOnlyCollection<string> columns, IReadOnlyCollection<string> excluded, string table)
    {
        var depth = 0;
        for (var at = 0; at < text.Length;)
        {
            var start = at;
            switch (text[at])
            {
                case var c when char.IsWhiteSpace(c):
                    at++;
                    break;
                case '\'':
                    if (Quoted(text, ref at).Split([' ', ',', '\t', '\n']).Any(PassingTimes.Contains))
                        throw Refused(text[start..at], "it is another time each day");
                    break;
                case '"':
                    CheckColumn(Quoted(text, ref at), columns, excluded, table);
                    break;
                case '(':
                    (depth, at) = (depth + 1, at + 1);
                    break;
                case ')':
                    if (--depth < 0) throw NotWhole("a parenthesis is closed that was not opened");
                    at++;
                    break;
                case ',':
                    at++;
                    break;
                case var c when char.IsAsciiDigit(c):
                    while (at < text.Length && (char.IsAsciiLetterOrDigit(text[at]) || text[at] == '.')) at++;
                    break;
                case var c when char.IsLetter(c) || c == '_':
                    while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] is '_' or '$')) at++;
                    CheckWord(text, start, at, columns, excluded, table);
                    break;
                case var c when Operators.Contains(c):
                    while (at < text.Length && Operators.Contains(text[at])) at++;
                    if (text[start..at] is var word && (word.Contains("--") || word.Contains("/*")))
                        throw Refused(word, "it begins a comment");
                    break;
                default:
                    throw Refused(text[at].ToString(), "a condition has column names, constants, comparisons, AND, OR, NOT");
            }
        }
        if (depth > 0) throw NotWhole("a parenthesis is not closed");
        return string.IsNullOrWhiteSpace(text) ? throw NotWhole("it is empty") : text.Trim();
    }

    /// <summary>The server knows it as a condition.</summary>
    /// <param name="connection">Under the table's lock.</param>
    /// <param name="table">The table, and the condition.</param>
    /// <param name="cancellationToken">Ends the asking.</param>
    /// <exception cref="PipelineException">It does not: what it says then has words of the condition, and of no row.</exception>
    public static async Task CheckAsync(NpgsqlConnection connection, SourceTable table, CancellationToken cancellationToken)
    {
        if (table.DeletedWhen is null) return;
        await using var command = new NpgsqlCommand($"SELECT FROM {table.QualifiedName} WHERE {table.IsMarked} LIMIT 0", connection);
        try
        {
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState[..2] is "42" or "22" && e.SqlState != PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new PipelineException(
                FailureAction.Stop, $"postgres.deleted_when is no condition of {table.QualifiedName}: {e.MessageText} ({e.SqlState}).",
                "Correct postgres.deleted_when.", e);
        }
    }

    private static void CheckWord(
        string text, int start, int end, IReadOnlyCollection<string> columns, IReadOnlyCollection<string> excluded, string table)
    {
        var word = text[start..end];
        // E'...', B'...': letters before a text change how it is read.
        if (end < text.Length && text[end] == '\'') throw Refused($"{word}'...'", "texts are in single quotes alone");
        if (Words.Contains(word)) return;
        if (text.AsSpan(end).TrimStart() is ['(', ..]) throw Refused(word, "a function may change though the row does not");
        var folded = word.ToLowerInvariant();
        if (!columns.Contains(folded) && columns.FirstOrDefault(c => c.Equals(word, StringComparison.OrdinalIgnoreCase)) is { } capital)
            throw new PipelineException(FailureAction.Stop,
                $"Table {table} has no column {folded}, which postgres.deleted_when names.",
                $"There is {capital}: write it in double quotes, as in deleted_when: '\"{capital}\"', since small letters are made of a "
                + "name without them.");
        CheckColumn(folded, columns, excluded, table);
    }

    private static void CheckColumn(
        string name, IReadOnlyCollection<string> columns, IReadOnlyCollection<string> excluded, string table)
    {
        if (excluded.Contains(name)) throw Refused(name, "the column is not carried, and what becomes of it is not looked at");
        if (!columns.Contains(name)) throw CarriedColumns.NoColumn(name, "deleted_when", columns, table);
    }

    /// <summary>What stands between quotes, of which two inside are one.</summary>
    private static string Quoted(string text, ref int at)
    {
        var (quote, inside) = (text[at++], new StringBuilder());
        for (; at < text.Length; at++)
        {
            if (text[at] != quote) inside.Append(text[at]);
            else if (at + 1 < text.Length && text[at + 1] == quote) inside.Append(text[++at]);
            else
            {
                at++;
                return inside.ToString();
            }
        }
        throw NotWhole($"{quote} is opened and not closed");
    }

    private static PipelineException Refused(string what, string why) => new(
        FailureAction.Stop, $"postgres.deleted_when has {what}: {why}.",
        $"Write it with the table's columns, constants, comparisons, AND, OR, NOT and parentheses alone; where more is needed, make a "
        + "generated column of it, and name that.");

    private static PipelineException NotWhole(string why) =>
        new(FailureAction.Stop, $"postgres.deleted_when is no condition: {why}.", $"Correct postgres.deleted_when.");
}
