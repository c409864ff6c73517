using System.Text;

namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>The words of a statement: names in double quotes, texts in single ones, numbers, signs, and bare words in upper case.</summary>
internal sealed class SqlTokens
{
    private static readonly string[] Signs = ["::", "<=", ">=", "(", ")", "[", "]", ",", ".", "<", ">", "="];

    private readonly List<(char Kind, string Text)> tokens = [];
    private int next;

    public SqlTokens(string sql)
    {
        for (var i = 0; i < sql.Length;)
        {
            if (char.IsWhiteSpace(sql[i])) i++;
            else if (sql[i] is '"' or '\'') tokens.Add((sql[i], Quoted(sql, ref i)));
            else if (char.IsAsciiLetterOrDigit(sql[i])) tokens.Add(('w', Word(sql, ref i)));
            else
            {
                var sign = Array.Find(Signs, s => string.CompareOrdinal(sql, i, s, 0, s.Length) == 0)
                    ?? throw new NotSupportedException($"the sign {sql[i]} in: {sql}");
                tokens.Add(('s', sign));
                i += sign.Length;
            }
        }
        tokens.Add(('e', ""));
    }

    public bool IsAtEnd => tokens[next].Kind == 'e';

    /// <summary>Takes a word or a sign, if it is the next.</summary>
    public bool Takes(string word)
    {
        if (tokens[next].Kind is not ('w' or 's') || tokens[next].Text != word) return false;
        next++;
        return true;
    }

    public void Take(string word)
    {
        if (!Takes(word)) throw new NotSupportedException($"{tokens[next].Text} where {word} should be");
    }

    /// <summary>The next if it is of this kind: a quote, or w for a word.</summary>
    public string? Taken(char kind) => tokens[next].Kind == kind ? tokens[next++].Text : null;

    public string TakeA(char kind) => Taken(kind) ?? throw new NotSupportedException($"{tokens[next].Text} cannot stand here");

    private static string Quoted(string sql, ref int i)
    {
        var (quote, text) = (sql[i], new StringBuilder());
        for (i++; ; i++)
        {
            if (sql[i] == quote && (i + 1 == sql.Length || sql[i + 1] != quote)) break;
            if (sql[i] == quote) i++;
            text.Append(sql[i]);
        }
        i++;
        return text.ToString();
    }

    private static string Word(string sql, ref int i)
    {
        var begin = i;
        while (i < sql.Length && (char.IsAsciiLetterOrDigit(sql[i]) || sql[i] == '_')) i++;
        return sql[begin..i].ToUpperInvariant();
    }
}
