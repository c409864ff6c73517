using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Replay;

namespace OrdersStream.LocalHost.CommandLine;

// The verbs of whoever looks into the lake.
internal static partial class Commands
{
    private static Command Quarantine() => new(
        QuarantineName, "Records that are no rows: what there is of them, with what they hold, and sending them again")
    {
        QuarantineList(), QuarantineShow(), QuarantineReplay(),
    };

    private static Command QuarantineList()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var command = new Command("list", "Counts them by cause: where they lie, since when, in which files; it shows no value") { json };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => QuarantineVerbs.ListAsync(
            new(pipeline, new RecordSelection(), arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command QuarantineShow()
    {
        var selection = new SelectionOptions();
        var json = new Option<bool>("--json") { Description = "Print one JSON object a line, as replay --file reads them" };
        var command = new Command("show", "Prints them with key, value and headers") { json };
        selection.AddTo(command);
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => QuarantineVerbs.ShowAsync(
            new(pipeline, selection.Of(arguments), arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command QuarantineReplay()
    {
        var selection = new SelectionOptions();
        var file = new Option<string?>("--file")
        {
            Description = "Send what this file has, as it has it: lines as show --json prints them, corrected", HelpName = "file",
        };
        var all = new Option<bool>("--all") { Description = "Send all that there are" };
        var command = new Command(ReplayName, "Sends them into the topic again; each leaves quarantine as it is stored, and counts once")
        {
            file, all,
        };
        selection.AddTo(command);
        command.Validators.Add(arguments =>
        {
            if (!selection.IsGiven(arguments) && arguments.GetResult(file) is null && arguments.GetResult(all) is null)
                arguments.AddError("replay sends what is asked for: give --cause, --partition, --offsets, --file, or --all");
        });
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => QuarantineVerbs.ReplayAsync(
            new(pipeline, selection.Of(arguments), Json: false, arguments.GetValue(LogLevelOption)), arguments.GetValue(file),
            cancellationToken));
    }

    private static Command History()
    {
        var key = new Argument<string?>("key")
        {
            Description = "The row's key; one of several columns has commas between its values", HelpName = "key",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var named = new Option<string?>("--key") { Description = "The same, as files takes it", HelpName = "key" };
        var values = new Option<bool>("--show-values") { Description = "Print the columns of each version, too" };
        var json = new Option<bool>("--json") { Description = "Print one JSON array" };
        var command = new Command(HistoryName, "All versions of one row in the lake, the newest first: when, what, and in which file")
        {
            key, named, values, json,
        };
        command.Validators.Add(arguments =>
        {
            if (arguments.GetValue(key) is null == arguments.GetValue(named) is null)
                arguments.AddError("history tells of one row: give its key, once");
        });
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => LakeVerbs.HistoryAsync(
            new(
                pipeline, [.. (arguments.GetValue(key) ?? arguments.GetRequiredValue(named)!).Split(',')], arguments.GetValue(values),
                arguments.GetValue(json), arguments.GetValue(LogLevelOption)),
            cancellationToken));
    }

    private static Command Files()
    {
        var key = new Option<string>("--key")
        {
            Description = "The row's key; one of several columns has commas between its values", HelpName = "key", Required = true,
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON array" };
        var command = new Command(FilesName, "Which files of the lake hold one row") { key, json };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => LakeVerbs.FilesAsync(
            new(
                pipeline, [.. arguments.GetRequiredValue(key).Split(',')], ShowValues: false, arguments.GetValue(json),
                arguments.GetValue(LogLevelOption)),
            cancellationToken));
    }

    private static Command Stats()
    {
        var by = new Option<string>("--by") { Description = "What is summed up", HelpName = "day", DefaultValueFactory = _ => "day" };
        by.AcceptOnlyFromAmong("day");
        var json = new Option<bool>("--json") { Description = "Print one JSON array" };
        var command = new Command("stats", "Rows, files and bytes that were stored, day by day, whatever became of the files since")
        {
            by, json,
        };
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => LakeVerbs.StatsAsync(
            new(pipeline, [], ShowValues: false, arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    /// <summary>The options by which records are chosen.</summary>
    private sealed class SelectionOptions
    {
        private readonly Option<string?> cause = new("--cause")
        {
            Description = "Only those whose reason has this in it, in whatever case", HelpName = "text",
        };

        private readonly Option<int?> partition = new("--partition") { Description = "Only those of this partition", HelpName = "number" };

        private readonly Option<(long? First, long? Last)> offsets = new("--offsets")
        {
            Description = "Only those with offsets from one to another, both included", HelpName = "FROM..TO", CustomParser = ParseOffsets,
        };

        public void AddTo(Command command)
        {
            command.Add(cause);
            command.Add(partition);
            command.Add(offsets);
        }

        public bool IsGiven(CommandResult arguments) =>
            new Option[] { cause, partition, offsets }.Any(option => arguments.GetResult(option) is not null);

        public RecordSelection Of(ParseResult arguments)
        {
            var (first, last) = arguments.GetValue(offsets);
            return new(arguments.GetValue(cause), arguments.GetValue(partition), first, last);
        }

        private static (long? First, long? Last) ParseOffsets(ArgumentResult result)
        {
            var ends = result.Tokens[0].Value.Split("..");
            if (ends.Length == 1 && TryParse(ends[0], out var only) && only is not null) return (only, only);
            if (ends.Length == 2 && TryParse(ends[0], out var first) && TryParse(ends[1], out var last) && (first ?? last) is not null)
                return (first, last);
            result.AddError("--offsets is no FROM..TO (5..9, 5.. or ..9)");
            return default;
        }

        private static bool TryParse(string text, out long? offset)
        {
            offset = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
            return text.Length == 0 || offset is not null;
        }
    }
}
