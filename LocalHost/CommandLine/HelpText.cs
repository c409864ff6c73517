using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>What <c>--help</c> shows behind the options: examples, the configuration's keys, the exit codes.</summary>
internal sealed class HelpText(HelpAction options, IReadOnlyList<string> firstExamples) : SynchronousCommandLineAction
{
    private const int Width = 110;

    private static readonly Dictionary<string, string[]> Examples = new()
    {
        [""] =
        [
            "orders-stream run --rollnumber 24BCS001              the servers of " + ConfigurationInput.DefaultFile,
            "orders-stream config                                 every key of the configuration, explained",
            "dotnet run --project LocalHost -- run --help         the same program from a clone",
        ],
        ["run"] =
        [
            "orders-stream run --rollnumber 24BCS001",
            "orders-stream run --config my.yml --set postgres.host=localhost --set kafka.brokers=localhost:9092",
            "POSTGRES_HOST=localhost KAFKA_BROKERS=localhost:9092 DATALAKE=datalake ROLLNUMBER=24BCS001 orders-stream run",
            "orders-stream run --only kafka-to-lake --once        store what the topic holds, and end",
            "orders-stream run --print-config                     what is in force, secrets masked",
        ],
        ["verify"] = ["orders-stream verify --rollnumber 24BCS001"],
        ["repair"] =
        [
            "orders-stream repair --rollnumber 24BCS001           while the pipeline runs elsewhere",
            "orders-stream repair --dry-run                       what differs, and nothing else",
        ],
        ["recapture"] =
        [
            "orders-stream recapture --rollnumber 24BCS001        the whole table again",
            "orders-stream recapture --keys 1000..1999",
            "orders-stream recapture --from 2026-11-29 --to 2026-11-30",
        ],
        ["status"] =
        [
            "orders-stream status --rollnumber 24BCS001",
            "orders-stream status --rollnumber 24BCS001 --json    the same as one JSON document, as /api/status gives it",
        ],
        ["quarantine"] =
        [
            "orders-stream quarantine list",
            "orders-stream quarantine show --cause 'not UTF-8' --json > corrected.jsonl",
            "orders-stream quarantine replay --file corrected.jsonl",
        ],
        ["list"] = ["orders-stream quarantine list --json"],
        ["show"] =
        [
            "orders-stream quarantine show --partition 0 --offsets 100..199",
            "orders-stream quarantine show --cause amount --json > corrected.jsonl",
        ],
        ["replay"] =
        [
            "orders-stream quarantine replay --cause 'missing'    as they were: where the schema was what was wrong",
            "orders-stream quarantine replay --file corrected.jsonl",
        ],
        ["history"] =
        [
            "orders-stream history 1042                            of a key of several columns: 1042,2026-11-30",
            "orders-stream history 1042 --show-values --json",
        ],
        ["files"] = ["orders-stream files --key 1042"],
        ["stats"] = ["orders-stream stats --by day"],
        ["check"] =
        [
            "orders-stream check --rollnumber 24BCS001            before the first run, and whenever something is odd",
            "orders-stream check --json                           the same for programs",
        ],
        ["init"] =
        [
            "orders-stream init --table customers > customers.yml",
            "orders-stream init --table customers --sql | psql -U postgres food_delivery_db",
            "orders-stream check --config customers.yml",
        ],
        ["config"] =
        [
            "orders-stream config > all-keys.yml",
            "orders-stream config --check my.yml --rollnumber 24BCS001",
        ],
    };

    private const string Usage = "bad command line or configuration, nothing was started";

    private static readonly Dictionary<string, string[]> ExitCodes = new()
    {
        [""] =
        [
            "0 done, also after Ctrl+C; 1 failed, or lake and table differ; 2 " + Usage,
            "Those of a verb are told by its own help. 128 and the signal's number: a second one ended it at once, and nothing is told",
        ],
        ["run"] =
        [
            "0 done, also after Ctrl+C; 1 a half stopped by a failure; 2 " + Usage,
            "3 --once: not all is done, since another instance captures the table, a transaction that did not end in time holds",
            "  committed rows back, records wait for the rest of their page, or it was told to end before;",
            "  or something hung when it was told to end",
        ],
        ["verify"] = ["0 lake and table agree; 1 they differ; 2 it cannot be told, or " + Usage],
        ["repair"] = ["0 lake and table agree; 1 they differ; 2 it cannot be told, nobody captures the table, or " + Usage],
        ["recapture"] = ["0 what was asked for is in the topic; 2 it is not, nobody captures the table, or " + Usage],
        ["status"] =
        [
            "0 all is well: both halves were seen to run, and nothing waits for longer than status.lag_max",
            "1 something is wrong: a server is down, or something waits and nobody is at it",
            "2 it cannot be told, a half does not run though nothing waits, or " + Usage,
        ],
        ["quarantine"] = ["Those of what it does are told by the help of that."],
        ["list"] = ["0 done; 1 there is no lake, or it cannot be read; 2 " + Usage],
        ["show"] = ["0 done; 1 there is no lake, or it cannot be read; 2 " + Usage],
        ["replay"] =
        [
            "0 all that was asked for is in the topic; 1 some are no rows as they are, and stay in quarantine; the others are in the topic",
            "2 nothing that was asked for waits, or not all is in the topic, since Kafka failed: once more goes on; or " + Usage,
        ],
        ["history"] = ["0 the lake has versions of the row; 1 it has none; 2 it cannot be told, as there is no lake, or " + Usage],
        ["files"] = ["0 files hold the row; 1 none does; 2 it cannot be told, as there is no lake, or " + Usage],
        ["stats"] = ["0 done; 1 there is no commit log, or it cannot be read; 2 " + Usage],
        ["check"] =
        [
            "0 ready: everything was looked at, and nothing would stop the stream or lose rows, whatever is warned of",
            "1 something would; 2 not everything could be looked at, or " + Usage,
        ],
        ["init"] = ["0 printed; 1 there is no such table, or nothing identifies its rows, or Postgres cannot be asked; 2 " + Usage],
        ["config"] = ["0 done, and a file that was to be checked can be used; 2 it cannot, or bad command line"],
    };

    /// <summary>
    /// Puts it behind the help of <paramref name="root"/> and its verbs. Where the program does nothing without a verb, it shows its
    /// help for the lack of one.
    /// </summary>
    /// <param name="root">The whole grammar.</param>
    /// <param name="firstExamples">Of the root, before those that stand here.</param>
    public static void AddTo(RootCommand root, IReadOnlyList<string> firstExamples)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        var help = new HelpText((HelpAction)option.Action!, firstExamples);
        option.Action = help;
        if (root.Action is not null) return;
        root.SetAction(arguments =>
        {
            help.Invoke(arguments);
            return ExitCode.BadUsage;
        });
    }

    /// <summary>Who asks for help need not give what a verb requires.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        options.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.Write(For(parseResult.CommandResult.Command));
        return ExitCode.Ok;
    }

    private string For(Command command)
    {
        var text = new StringBuilder();
        var isRoot = command is RootCommand;
        if (Examples.TryGetValue(isRoot ? "" : command.Name, out var lines))
            AppendBlock(text, "Examples:", isRoot ? firstExamples.Concat(lines) : lines);
        if (command.Options.Any(o => o.Name == "--set"))
        {
            AppendBlock(text, "Keys for --set, and for environment variables (Postgres__Port=5433); 'orders-stream config' explains each:",
                SettingsReference.Sections.SelectMany(s => Wrap(s.Name.PadRight(11), s.Settings.Select(k => k.Key))));
        }
        AppendBlock(text, "Exit codes:", ExitCodes[isRoot ? "" : command.Name]);
        return text.ToString();
    }

    private static void AppendBlock(StringBuilder text, string title, IEnumerable<string> lines)
    {
        text.Append(title).AppendLine();
        foreach (var line in lines) text.Append("  ").Append(line).AppendLine();
        text.AppendLine();
    }

    private static IEnumerable<string> Wrap(string title, IEnumerable<string> words)
    {
        var line = new StringBuilder(title);
        foreach (var word in words)
        {
            if (line.Length + 1 + word.Length > Width)
            {
                yield return line.ToString();
                line.Clear().Append(' ', title.Length);
            }
            line.Append(' ').Append(word);
        }
        yield return line.ToString();
    }
}
