using System.Text;
using System.Text.RegularExpressions;

namespace OrdersStream.Demo.Servers;

/// <summary>
/// Runs the small part of psql's language that our own scripts use, so that they need no psql: <c>\set</c>, <c>\getenv</c>,
/// <c>\if :{?name}</c> with <c>\else</c> and <c>\endif</c>, each on a line of its own before the SQL; and <c>:'name'</c> and
/// <c>:"name"</c> in the SQL, quoted as psql quotes them. Like psql it leaves quoted text, dollar quotes and comments alone.
/// Anything else of psql's is refused.
/// </summary>
public static partial class PsqlScript
{
    /// <summary>The plain SQL that psql would send, given these variables (<c>-v</c>) and this environment.</summary>
    /// <exception cref="FormatException">The script uses what is not understood here; with the line.</exception>
    public static string ToSql(
        string script, IReadOnlyDictionary<string, string> variables, IReadOnlyDictionary<string, string> environment)
    {
        var values = new Dictionary<string, string>(variables);
        var sql = new StringBuilder();
        var conditions = new Stack<bool>();
        var number = 0;
        foreach (var line in script.Split('\n'))
        {
            number++;
            if (line.StartsWith('\\') && !IsInsideSql(sql)) RunCommand(line.Trim(), number, values, environment, conditions);
            else if (conditions.All(c => c)) sql.Append(line).Append('\n');
        }
        if (conditions.Count > 0) throw new FormatException("\\if without \\endif");
        return Substitute(sql.ToString(), values);
    }

    private static void RunCommand(
        string line, int number, Dictionary<string, string> values, IReadOnlyDictionary<string, string> environment, Stack<bool> conditions)
    {
        var words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        switch (words)
        {
            case ["\\if", var condition] when DefinedPattern().Match(condition) is { Success: true } match:
                conditions.Push(values.ContainsKey(match.Groups[1].Value));
                break;
            case ["\\else"] when conditions.Count > 0:
                conditions.Push(!conditions.Pop());
                break;
            case ["\\endif"] when conditions.Count > 0:
                conditions.Pop();
                break;
            case ["\\set", ..] or ["\\getenv", ..] when !conditions.All(c => c):
                break;
            case ["\\set", var name, .. var parts]:
                values[name] = string.Concat(parts.Select(p => ValueOf(p, number, values)));
                break;
            case ["\\getenv", var name, var variable]:
                if (environment.TryGetValue(variable, out var value)) values[name] = value;
                break;
            default:
                throw new FormatException($"line {number}: '{words[0]}' is not understood here in this form");
        }
    }

    private static string ValueOf(string word, int number, Dictionary<string, string> values) =>
        !word.StartsWith(':') ? word
        : values.TryGetValue(word[1..], out var value) ? value
        : throw new FormatException($"line {number}: the variable {word[1..]} is not set");

    /// <summary>A backslash at a line's start within quoted text is text.</summary>
    private static bool IsInsideSql(StringBuilder sql) => OpenQuote().IsMatch(Pieces().Replace(sql.ToString(), ""));

    private static string Substitute(string sql, Dictionary<string, string> values) => Pieces().Replace(sql, match =>
    {
        if (match.Groups["name"] is not { Success: true } name) return match.Value;
        if (!values.TryGetValue(name.Value, out var value)) throw new FormatException($"the variable {name.Value} is not set");
        var quote = match.Groups["quote"].Value;
        if (quote == "\"") return $"\"{value.Replace("\"", "\"\"")}\"";
        // As psql does: an escape string where there is a backslash, so that the server's settings do not matter.
        return value.Contains('\\') ? $" E'{value.Replace("\\", "\\\\").Replace("'", "''")}'" : $"'{value.Replace("'", "''")}'";
    });

    [GeneratedRegex(@"^:\{\?(\w+)\}$")]
    private static partial Regex DefinedPattern();

    // Whole comments, dollar quotes and quoted text first: what is in them is not ours.
    // A variable is ':' and a quoted name, and '::' is a cast.
    [GeneratedRegex("""
        --[^\n]* | /\*.*?\*/ | \$(?<tag>\w*)\$.*?\$\k<tag>\$ | :: | :(?<quote>['"])(?<name>\w+)\k<quote> | '(?:[^']|'')*' | "(?:[^"]|"")*"
        """, RegexOptions.Singleline | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Pieces();

    [GeneratedRegex("""['"]|\$\w*\$|/\*""")]
    private static partial Regex OpenQuote();
}
