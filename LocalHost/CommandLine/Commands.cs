using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Loops;
using OrdersStream.LocalHost.Terminal;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Site.Server;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>The command line's grammar. It parses and hands over; what a verb does stands in Verbs/.</summary>
internal static partial class Commands
{
    private static readonly string[] LogLevelNames = [.. Enum.GetNames<LogLevel>().Select(name => name.ToLowerInvariant())];

    private static readonly Option<LogLevel> LogLevelOption = new("--log-level")
    {
        Description = "Least severe log line to show",
        HelpName = string.Join('|', LogLevelNames),
        DefaultValueFactory = _ => LogLevel.Information,
        CustomParser = ParseLogLevel,
        CompletionSources = { _ => LogLevelNames.Select(name => new CompletionItem(name)) },
    };

    private const string VerifyName = "verify", RepairName = "repair", RecaptureName = "recapture", StatusName = "status";
    private const string QuarantineName = "quarantine", ReplayName = "replay", HistoryName = "history", FilesName = "files";
    private const string ConfigName = "config", CheckName = "check", InitName = "init";

    public static RootCommand Root()
    {
        var root = new RootCommand("Orders Stream: captures a Postgres table into Kafka, and the topic into a Parquet data lake.");
        var examples = new List<string>();
        AddDemonstration(root, examples);
        root.Add(Run());
        root.Add(Verify());
        root.Add(Repair());
        root.Add(Recapture());
        root.Add(Status());
        root.Add(Quarantine());
        root.Add(History());
        root.Add(Files());
        root.Add(Stats());
        root.Add(Check());
        root.Add(Init());
        root.Add(Config());
        HelpText.AddTo(root, examples);
        return root;
    }

    /// <summary>
    /// What the program does without a verb, and its examples. A build with <c>-p:WithDemonstration=false</c> leaves the file out in
    /// which this has a body; the call is then gone too.
    /// </summary>
    static partial void AddDemonstration(RootCommand root, List<string> examples);

    private static Command Run()
    {
        var only = new Option<string?>("--only") { Description = "Run one half alone", HelpName = "postgres-to-kafka|kafka-to-lake" };
        only.AcceptOnlyFromAmong("postgres-to-kafka", "kafka-to-lake");
        var once = new Option<bool>("--once") { Description = "Drain what is there and end" };
        var statusPage = new Option<IPEndPoint?>("--ui")
        {
            Description = $"Serve the status page; without an address at {SiteAddress.Default}, and port 0 takes any that is free",
            HelpName = "port or address:port",
            Arity = ArgumentArity.ZeroOrOne,
            CustomParser = ParseStatusPageAddress,
        };
        var command = new Command("run", "Runs both halves against the configured servers until Ctrl+C or SIGTERM")
        {
            only, once, statusPage,
        };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) =>
        {
            var half = ToHalf(arguments.GetValue(only));
            var address = arguments.GetValue(statusPage);
            return RunVerb.ExecuteAsync(
                new RunOptions(pipeline, half, arguments.GetValue(once), address, arguments.GetValue(LogLevelOption)), cancellationToken);
        });
    }

    private static Command Verify()
    {
        var showKeys = new Option<bool>("--show-keys", "--keys") { Description = "Name the first differing rows by their keys" };
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var (from, to) = (FromOption(), ToOption());
        var since = new Option<TimeSpan?>("--since")
        {
            Description = "Only rows whose ordering column is not further back than this",
            HelpName = "30s|15m|2h|7d",
            CustomParser = ParseAge,
        };
        var command = new Command(
            VerifyName,
            "Compares the lake with the source table; ends with 0 when they agree, 1 when they differ, 2 when it cannot be told")
        {
            from, to, since, showKeys, json,
        };
        command.Validators.Add(arguments =>
        {
            if (arguments.GetResult(from) is not null && arguments.GetResult(since) is not null)
                arguments.AddError("--since and --from both say where to begin: give one of them");
        });
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => VerifyVerb.ExecuteAsync(
            new VerifyOptions(
                pipeline, arguments.GetValue(from) ?? TimeProvider.System.GetUtcNow().UtcDateTime - arguments.GetValue(since),
                arguments.GetValue(to), arguments.GetValue(showKeys), arguments.GetValue(json), arguments.GetValue(LogLevelOption)),
            cancellationToken));
    }

    /// <summary>The exit code of a command that failed: of one that gives a verdict, that there is none.</summary>
    public static int ExitCodeOfFailure(ParseResult arguments) => arguments.CommandResult.Command.Name is
        VerifyName or RepairName or RecaptureName or StatusName or CheckName or ReplayName or HistoryName or FilesName
            ? ExitCode.Unknown : ExitCode.Failure;

    private static Option<bool> OnceOption() => new("--once")
    {
        Description = "Where nobody captures the table: publish and store here, what else is there included",
    };

    private static Option<DateTime?> FromOption() => new("--from")
    {
        Description = "Only rows whose ordering column is not below this time", HelpName = "time", CustomParser = ParseTime,
    };

    private static Option<DateTime?> ToOption() => new("--to")
    {
        Description = "Only rows whose ordering column is below this time", HelpName = "time", CustomParser = ParseTime,
    };

    private static Command Repair()
    {
        var dry = new Option<bool>("--dry-run") { Description = "Say what differs, and publish nothing" };
        var accept = new Option<bool>("--accept-lost")
        {
            Description = "Where files of the lake are gone: versions that nobody has any more are known to be lost from now on",
        };
        var once = OnceOption();
        var command = new Command(
            RepairName,
            "Has rows that the lake lacks published again by the process that captures, and compares; ends as verify does")
        {
            dry, once, accept,
        };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => RepairVerbs.RepairAsync(
            new RepairOptions(
                pipeline, arguments.GetValue(dry), arguments.GetValue(once), arguments.GetValue(LogLevelOption),
                arguments.GetValue(accept)),
            cancellationToken));
    }

    private static Command Recapture()
    {
        var keys = new Option<(string? First, string? Last)>("--keys")
        {
            Description = "Only keys from one to another, both included; a key of several columns has commas between its values",
            HelpName = "FROM..TO",
            CustomParser = ParseKeys,
        };
        var (from, to) = (FromOption(), ToOption());
        var once = OnceOption();
        var command = new Command(
            RecaptureName, "Has the whole table, or a part of it, published again by the process that captures; ends with 0, or 2 if not")
        {
            keys, from, to, once,
        };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) =>
        {
            var (first, last) = arguments.GetValue(keys);
            return RepairVerbs.RecaptureAsync(
                new RecaptureOptions(
                    pipeline, KeyOf(first), KeyOf(last), arguments.GetValue(from), arguments.GetValue(to), arguments.GetValue(once),
                    arguments.GetValue(LogLevelOption)),
                cancellationToken);
        });
    }

    private static ImmutableArray<string>? KeyOf(string? text) => string.IsNullOrEmpty(text) ? null : [.. text.Split(',')];

    private static (string? First, string? Last) ParseKeys(System.CommandLine.Parsing.ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        var dots = text.IndexOf("..", StringComparison.Ordinal);
        if (dots >= 0 && text.Length > 2) return (text[..dots], text[(dots + 2)..]);
        result.AddError("--keys is no FROM..TO (5..9, 5.. or ..9)");
        return default;
    }

    private static DateTime? ParseTime(System.CommandLine.Parsing.ArgumentResult result)
    {
        const DateTimeStyles utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        if (DateTime.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, utc, out var time)) return time;
        result.AddError($"{result.Argument.Name} is no time (2026-11-30, 2026-11-30T08:15:00Z; UTC where no zone is given)");
        return null;
    }

    private static TimeSpan? ParseAge(System.CommandLine.Parsing.ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        var unit = text.LastOrDefault() switch { 's' => 1, 'm' => 60, 'h' => 3_600, 'd' => 86_400, _ => 0 };
        if (unit > 0 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && (long)number * unit is > 0 and < 1_000_000_000 and var seconds)
            return TimeSpan.FromSeconds(seconds);
        result.AddError("--since is no number with a unit (30s, 15m, 2h, 7d)");
        return null;
    }

    private static Command Status()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var command = new Command(
            StatusName,
            "Shows where both halves stand; ends with 0 when all is well, 1 when something is wrong, 2 when it cannot be told") { json };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => StatusVerb.ExecuteAsync(
            new StatusOptions(pipeline, arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command WithConfiguration(Command command, Func<ParseResult, PipelineOptions, CancellationToken, Task<int>> execute)
    {
        var configuration = new ConfigurationInput();
        configuration.AddTo(command);
        command.Add(LogLevelOption);
        command.SetAction(async (arguments, cancellationToken) =>
        {
            var pipeline = configuration.Load(arguments);
            if (!configuration.IsPrintOnly(arguments)) return await execute(arguments, pipeline, cancellationToken);
            await Console.Out.WriteAsync(ConfigurationLoader.Print(pipeline));
            return ExitCode.Ok;
        });
        return command;
    }

    private static PipelineHalf? ToHalf(string? name) => name switch
    {
        null => null,
        "postgres-to-kafka" => PipelineHalf.PostgresToKafka,
        _ => PipelineHalf.KafkaToLake,
    };

    private static LogLevel ParseLogLevel(System.CommandLine.Parsing.ArgumentResult result)
    {
        var word = result.Tokens[0].Value;
        var isName = !char.IsAsciiDigit(word.FirstOrDefault());
        if (isName && Enum.TryParse<LogLevel>(word, ignoreCase: true, out var level) && Enum.IsDefined(level)) return level;
        result.AddError($"--log-level is none of {LogLevelOption.HelpName}{NearestName.Suggestion(word, LogLevelNames)}");
        return default;
    }

    private static IPEndPoint? ParseStatusPageAddress(System.CommandLine.Parsing.ArgumentResult result)
    {
        if (result.Tokens.Count == 0) return SiteAddress.Default;
        var text = result.Tokens[0].Value;
        if (SiteAddress.TryParse(text, out var address)) return address;
        result.AddError($"--ui is '{text}', which is no port and no address:port of this machine (8081, 0.0.0.0:8080, [::1]:8080)");
        return null;
    }
}
