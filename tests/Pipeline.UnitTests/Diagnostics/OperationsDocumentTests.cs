using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Diagnostics;

/// <summary>Whatever can page someone is in docs/operations.md: who greps it for a line of the log finds the row.</summary>
public sealed partial class OperationsDocumentTests
{
    /// <summary>A value in a text, as it stands in the source.</summary>
    private const string Interpolated = """\{(?:[^{}"]|"[^"]*"|\{[^{}]*\})*\}""";

    /// <summary>The first column of the table: spans of code, in which dots stand for whatever is said there.</summary>
    private static readonly Regex[] Symptoms =
    [
        .. File.ReadLines(Path.Combine(ConfigurationFile.Repository, "docs", "operations.md"))
            .SkipWhile(line => line != "## What can page someone").Skip(3).TakeWhile(line => line.StartsWith('|'))
            .SelectMany(row => Span().Matches(row.Split('|')[1]))
            .Select(span => new Regex(string.Join(".*", span.Groups[1].Value.Split("...").Select(Regex.Escape)))),
    ];

    public static TheoryData<string> Problems() =>
        [.. Directory.EnumerateFiles(Path.Combine(ConfigurationFile.Repository, "Pipeline"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Problem().Matches(Joint().Replace(File.ReadAllText(file), "")))
            .Select(m => WithoutValues(m.Groups["text"].Value).Replace("\\\"", "\"")).Distinct()];

    public static TheoryData<string> Warnings() =>
        [.. typeof(Log).GetMethods().Select(m => m.GetCustomAttribute<LoggerMessageAttribute>())
            // A half's outage is logged in the words of the failure.
            .Where(m => m is { Level: >= LogLevel.Warning } && !m.Message.Contains("{Problem}")).Select(m => WithoutValues(m!.Message))];

    [Theory, MemberData(nameof(Problems))]
    public void every_failure_is_in_the_table(string text) => Assert.Contains(Symptoms, symptom => symptom.IsMatch(text));

    [Theory, MemberData(nameof(Warnings))]
    public void every_warning_is_in_the_table(string text) => Assert.Contains(Symptoms, symptom => symptom.IsMatch(text));

    private static string WithoutValues(string text) => Interpolation().Replace(text, "<value>");

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();

    // A long text stands on several lines of the source: its pieces are one text.
    [GeneratedRegex("""
        "\s*\+\s*\$?"
        """)]
    private static partial Regex Joint();

    // The words of a failure where it is made: behind what is to be done about it, or first in a call that says so by its name.
    [GeneratedRegex(
        """(?:FailureAction\.(?:Stop|Retry),|ActionWhereOther\((?:known|owner)\),|\b(?:Stop|Retry)\(|\bUnsupported\(column,)"""
        + """\s*\$?"(?<text>(?:[^"\\{]|\\.|""" + Interpolated + ")*)")]
    private static partial Regex Problem();

    [GeneratedRegex(Interpolated)]
    private static partial Regex Interpolation();
}
