using System.CommandLine;
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
    private static readonly Option<LogLevel> LogLevelOption = new("--log-level")
    {
        Description = "Least severe log line to show",
        HelpName = "trace|debug|information|warning|error|critical|none",
        DefaultValueFactory = _ => LogLevel.Information,
        CustomParser = ParseLogLevel,
    };

    public static RootCommand Root()
    {
        var root = new RootCommand("Orders Stream: captures a Postgres table into Kafka, and the topic into a Parquet data lake.");
        var examples = new List<string>();
        AddDemonstration(root, examples);
        root.Add(Run());
        root.Add(Verify());
        root.Add(Status());
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
        var showKeys = new Option<bool>("--show-keys") { Description = "Name the first differing rows by their keys" };
        var command = new Command("verify", "Compares the lake with the source table; ends with 1 when they differ") { showKeys };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => VerifyVerb.ExecuteAsync(
            new VerifyOptions(pipeline, arguments.GetValue(showKeys), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command Status()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var command = new Command(
            "status",
            "Shows where both halves stand; ends with 0 when all is well, 1 when something is wrong, 2 when it cannot be told") { json };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => StatusVerb.ExecuteAsync(
            new StatusOptions(pipeline, arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command Config()
    {
        var command = new Command("config", "Prints every key of the configuration: meaning, unit, range and default, as YAML comments");
        command.SetAction(_ => Console.Out.Write(SettingsText.Describe()));
        return command;
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
        var isName = !char.IsAsciiDigit(word[0]);
        if (isName && Enum.TryParse<LogLevel>(word, ignoreCase: true, out var level) && Enum.IsDefined(level)) return level;
        result.AddError($"--log-level is none of {LogLevelOption.HelpName}");
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
