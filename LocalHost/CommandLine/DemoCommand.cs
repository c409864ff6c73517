using System.CommandLine;
using Microsoft.Extensions.Logging;
using OrdersStream.Demo;
using OrdersStream.LocalHost.Verbs;

namespace OrdersStream.LocalHost.CommandLine;

// The demonstration's part of the grammar, in a file of its own so that a build can leave it out (WithDemonstration in LocalHost.csproj).
internal static partial class Commands
{
    static partial void AddDemonstration(RootCommand root, List<string> examples)
    {
        root.Description += " Without a verb it plays a demonstration on a private Postgres and an in-process Kafka.";
        examples.Add("orders-stream                                        the demonstration, 15 seconds");
        examples.Add("orders-stream --seconds 60 --rate 1000               longer and busier");
        var seconds = new Option<int>("--seconds")
        {
            Description = "How long to play orders", HelpName = "seconds", DefaultValueFactory = _ => 15,
        };
        var rate = new Option<int>("--rate") { Description = "New orders a second", HelpName = "orders", DefaultValueFactory = _ => 200 };
        var directory = new Option<string?>("--dir")
        {
            Description = "Folder for the demonstration's lake and state, made anew by each run; default: datalake/demo",
            HelpName = "folder",
        };
        var logLevel = new Option<LogLevel>("--log-level")
        {
            Description = LogLevelOption.Description,
            HelpName = LogLevelOption.HelpName,
            DefaultValueFactory = _ => LogLevel.Warning,
            CustomParser = ParseLogLevel,
        };
        seconds.Validators.Add(r => RequireRange(r, 1, 86_400));
        rate.Validators.Add(r => RequireRange(r, 1, 100_000));
        var noStatusPage = new Option<bool>("--no-ui") { Description = "Serve no status page" };
        foreach (var option in new Option[] { seconds, rate, directory, noStatusPage, logLevel }) root.Add(option);
        root.SetAction((arguments, cancellationToken) => DemoVerb.ExecuteAsync(
            new DemoVerbOptions(
                new DemoOptions(
                    arguments.GetValue(seconds), arguments.GetValue(rate), arguments.GetValue(directory),
                    !arguments.GetValue(noStatusPage)),
                arguments.GetValue(logLevel)),
            cancellationToken));
    }

    private static void RequireRange(System.CommandLine.Parsing.OptionResult result, int min, int max)
    {
        if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out var value) && (value < min || value > max))
            result.AddError($"{result.Option.Name} is {value}, which is not in {min} to {max}");
    }
}
