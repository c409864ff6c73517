using System.Text;
using System.Text.RegularExpressions;

namespace OrdersStream.Configuration;

/// <summary>The roll number in force, and what to call where it came from.</summary>
/// <param name="Value">Null where none is given.</param>
internal sealed record RollNumber(string? Value, Origin Origin)
{
    public const int LengthMax = 48;

    public static RollNumber From(string? argument, IReadOnlyDictionary<string, string> environment) =>
        argument is not null ? new RollNumber(argument, Origin.Option("--rollnumber", -1))
        : new RollNumber(environment.TryGetValue("ROLLNUMBER", out var value) && value != "" ? value : null, Origin.Variable("ROLLNUMBER"));

    /// <summary>
    /// It becomes part of a table's, a topic's and a folder's name, as it is: case counts in all three (the table's
    /// name is quoted). A leading letter or digit, since Spark and Hive hide folders that begin with _.
    /// </summary>
    public bool IsSafe => Value is { Length: > 0 and <= LengthMax } && char.IsAsciiLetterOrDigit(Value[0])
        && Value.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');
}

/// <summary>
/// Replaces <c>&lt;rollnumber&gt;</c>, <c>${NAME}</c> and <c>${NAME:-default}</c> (the default where NAME is unset or empty, as
/// in a shell);
/// <c>$${</c> stands for <c>${</c>. What is put in is not looked at again. The environment's own values are taken as they
/// are, but for <c>&lt;rollnumber&gt;</c>: nobody writes a variable's value with references to others.
/// </summary>
internal sealed partial class Placeholders(IReadOnlyDictionary<string, string> environment, RollNumber rollNumber, FaultList faults)
{
    private const string RollNumberMark = "<rollnumber>";

    private readonly Dictionary<string, List<(Origin Origin, string Label)>> missing = [];
    private int missed;

    /// <summary>What is not given is said once, with all that needs it.</summary>
    public void ReportMissing()
    {
        foreach (var (what, needed) in missing)
            faults.Add(needed[0].Origin, needed.Count == 1
                ? $"{needed[0].Label} needs {what}"
                : $"{string.Join(", ", needed.Select(n => n.Label).Distinct())} need {what}");
    }

    /// <summary>The value with everything replaced; null when that failed (the fault is noted).</summary>
    public GivenValue? Expand(GivenValue value)
    {
        var before = faults.Count + missed;
        var expanded = value with
        {
            Text = Expand(value, value.Text),
            Items = value.Items is null ? null : [.. value.Items.Select(item => Expand(value, item))],
        };
        return faults.Count + missed == before ? expanded : null;
    }

    private void Miss(string what, Origin origin, string label)
    {
        missed++;
        if (!missing.TryGetValue(what, out var needed)) missing[what] = needed = [];
        needed.Add((origin, label));
    }

    private string Expand(GivenValue value, string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var rest = text.AsSpan(i);
            if (rest.StartsWith(RollNumberMark, StringComparison.OrdinalIgnoreCase))
            {
                result.Append(RollNumberFor(value, text.Substring(i, RollNumberMark.Length)));
                i += RollNumberMark.Length;
            }
            else if (value.Layer != Layer.Environment && rest.StartsWith("$${", StringComparison.Ordinal))
            {
                result.Append("${");
                i += 3;
            }
            else if (value.Layer != Layer.Environment && rest.StartsWith("${", StringComparison.Ordinal))
            {
                i += Reference(value, text, i, result);
            }
            else
            {
                RefuseNearMiss(value, rest);
                result.Append(text[i++]);
            }
        }
        return result.ToString();
    }

    private string RollNumberFor(GivenValue value, string mark)
    {
        if (rollNumber.Value is null)
            Miss("a roll number; give --rollnumber, or set the environment variable ROLLNUMBER", value.Origin.At(mark), value.Label);
        else if (!rollNumber.IsSafe)
            faults.Add(rollNumber.Origin,
                $"the roll number is {ShownValue.Of(rollNumber.Value)}; it becomes part of a table, topic and folder name, "
                + $"so it must be 1 to {RollNumber.LengthMax} letters, digits, _ or -, and begin with a letter or digit");
        return rollNumber.Value ?? "";
    }

    /// <summary>A placeholder that is meant to be the roll number, misspelt, would otherwise become part of the name.</summary>
    private void RefuseNearMiss(GivenValue value, ReadOnlySpan<char> rest)
    {
        if (value.Setting.Secret || rest[0] is not ('<' or '{')) return;
        if (rest.IndexOf(rest[0] == '<' ? '>' : '}') is not (> 1 and < 24 and var close)) return;
        var word = rest[1..close].ToString();
        if (!IsRollNumber(word)) return;
        var given = rest[..(close + 1)].ToString();
        faults.Add(value.Origin.At(given), $"{value.Label} holds {ShownValue.Of(given)}; did you mean {RollNumberMark}?");
    }

    /// <summary>In whatever words somebody says it: rollno, roll-nr, your_roll_number.</summary>
    private static bool IsRollNumber(string word)
    {
        var name = word.Replace(' ', '_').Replace('-', '_');
        return NearestName.Of(name, ["rollnumber"]) is not null || RollNumberWords().IsMatch(name);
    }

    [GeneratedRegex("^(your_|my_)?roll_?(no|nr|num|number|id)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex RollNumberWords();

    /// <summary>One reference that begins at <paramref name="start"/>; returns its length.</summary>
    private int Reference(GivenValue value, string text, int start, StringBuilder result)
    {
        var close = text.IndexOf('}', start);
        var body = close < 0 ? "" : text[(start + 2)..close];
        var colon = body.IndexOf(":-", StringComparison.Ordinal);
        var name = colon < 0 ? body : body[..colon];
        var fallback = colon < 0 ? null : body[(colon + 2)..];
        if (!IsVariableName(name) || fallback?.Contains("${", StringComparison.Ordinal) == true)
        {
            faults.Add(value.Origin.At(close < 0 ? text[start..] : text[start..(close + 1)]),
                $"{value.Label} holds a '${{' that begins neither ${{NAME}} nor ${{NAME:-default}}; "
                + "write $${ for the characters themselves");
            return close < 0 ? text.Length - start : close + 1 - start;
        }
        var reference = text[start..(close + 1)];
        if (environment.TryGetValue(name, out var found) && (found != "" || fallback is null)) result.Append(found);
        else if (fallback is not null) result.Append(fallback);
        else Miss(Unset(value, text, start, close, name), value.Origin.At(reference), value.Label);
        return reference.Length;
    }

    /// <summary>
    /// In a secret the name is shown only where it is clearly a reference, and not a part of the secret that looks like one.
    /// </summary>
    private static string Unset(GivenValue value, string text, int start, int close, string name)
    {
        var standsAlone = (start == 0 || IsDelimiter(text[start - 1])) && (close == text.Length - 1 || IsDelimiter(text[close + 1]));
        bool IsDelimiter(char c) => !value.Setting.Secret && c is '/' or ':' or '?' or '&' or '=';
        var mayHoldSecret = value.Setting.Secret || value.Setting.Key == "jdbc_url";
        var variable = mayHoldSecret && !standsAlone ? "an environment variable that is" : $"the environment variable {name}, which is";
        return $"{variable} not set; set it, or write ${{NAME:-default}}";
    }

    private static bool IsVariableName(string name) =>
        name.Length is > 0 and <= 128 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
