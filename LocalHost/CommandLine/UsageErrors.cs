using System.CommandLine;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>
/// What is wrong with a command line, one line each. Nothing behind an equals sign or an unknown option is shown: where
/// --set or --print-config is misspelt, that may be a password (invariant 9).
/// </summary>
internal static class UsageErrors
{
    public static IEnumerable<string> Of(ParseResult arguments)
    {
        var command = arguments.CommandResult.Command;
        var known = command.Subcommands.Select(c => c.Name).Concat(command.Options.Select(o => o.Name)).Append("--help").ToList();
        var behindOption = false;
        foreach (var token in arguments.UnmatchedTokens)
        {
            var isOption = token.StartsWith('-');
            var kind = isOption ? "option" : "verb or argument";
            if (isOption || !behindOption) yield return $"unknown {kind} '{Name(token)}'{NearestName.Suggestion(Name(token), known)}";
            behindOption = isOption && !token.Contains('=', StringComparison.Ordinal);
        }
        foreach (var error in arguments.Errors)
        {
            if (arguments.UnmatchedTokens.Any(t => error.Message.Contains($"'{t}'", StringComparison.Ordinal))) continue;
            yield return string.Join(' ', error.Message.Split((char[])['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries));
        }
    }

    private static string Name(string token)
    {
        var equals = token.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? token : token[..equals];
    }
}
