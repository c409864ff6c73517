using System.CommandLine;
using OrdersStream.Benchmarks.Hot;
using OrdersStream.Benchmarks.Limits;
using OrdersStream.Benchmarks.Load;
using OrdersStream.Benchmarks.Running;
using OrdersStream.Demo.Servers;

namespace OrdersStream.Benchmarks;

/// <summary>The command line.</summary>
internal static class Commands
{
    private static readonly Option<string?> JsonOption = new("--json")
    {
        Description = "Also write the figures as one document; - for standard output", HelpName = "file|-",
    };

    public static async Task<int> RunAsync(string[] args, CancellationToken cancellationToken)
    {
        var arguments = Root(string.Join(' ', args)).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        try
        {
            return await arguments.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("stopped before the end");
        }
        catch (Exception e)
        {
            await Console.Error.WriteLineAsync(e is BenchmarkException or LocalPostgresException ? e.Message : e.ToString());
        }
        return 1;
    }

    private static RootCommand Root(string line) =>
        new("Measures Orders Stream against what this machine can do. Nothing else should run on it meanwhile.") 
        {
            LoadCommand(line), LatencyCommand(line), IdleCommand(line), GrowthCommand(line), FunctionsCommand(line), VerifyCommand(line),
            InstancesCommand(line), HotCommand(), PublishCommand(), LimitCommand(), HostCommand(),
        };

    private static Command LoadCommand(string line)
    {
        var rows = Number("--rows", "Orders in the table", 500_000, 1);
        var runs = Number("--runs", "Runs, of which median, lowest and highest are shown", 5, 1);
        var large = Number("--rows-of-1mb", "Rows of 1 MB in a table of their own, for the memory that they take; 0: none", 200, 0);
        var command = new Command(
            "load",
            "A first load of both halves, each alone and both at once, interleaved with the limits: COPY, producing, consuming, "
            + "writing") { rows, runs, large, JsonOption };
        command.SetAction(
            (a, c) => LoadBenchmark.RunAsync(new(line, a.GetValue(rows), a.GetValue(runs), a.GetValue(large), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command LatencyCommand(string line)
    {
        var rate = Number("--rate", "Transactions of one row a second", 200, 1);
        var seconds = Number("--seconds", "For how long", 60, 1);
        var command = new Command("latency", "From the commit of an order until it is in a visible file, at a steady rate")
        {
            rate, seconds, JsonOption,
        };
        command.SetAction((a, c) => Latency.RunAsync(new(line, a.GetValue(rate), a.GetValue(seconds), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command IdleCommand(string line)
    {
        var rows = Number("--rows", "Orders in the table", 100_000, 1);
        var seconds = Number("--seconds", "For how long", 60, 1);
        var command = new Command("idle", "What an unchanged table costs, here and in Postgres") { rows, seconds, JsonOption };
        command.SetAction((a, c) => Idle.RunAsync(new(line, a.GetValue(rows), a.GetValue(seconds), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command GrowthCommand(string line)
    {
        var sizes = Sizes();
        var changes = Number("--changes", "Orders that change", 10_000, 1);
        var runs = Number("--runs", "How often at each size", 3, 1);
        var spread = new Option<bool>("--spread")
        {
            Description = "Change orders all over the table, each on a page of its own in a large one, "
                + "instead of the same orders at each size",
        };
        var command = new Command("growth", "What the same changes cost on tables of different sizes")
        {
            sizes, changes, runs, spread, JsonOption,
        };
        command.SetAction(
            (a, c) =>
                Growth.RunAsync(
                    new(line, a.GetValue(sizes)!, a.GetValue(changes), a.GetValue(runs), a.GetValue(spread), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command FunctionsCommand(string line)
    {
        var rows = Number("--rows", "Orders in the table", 500_000, 1);
        var runs = Number("--runs", "How often, in turn", 5, 1);
        var command = new Command(
            "functions",
            "The storing half's own time a record behind a functions host's trigger, beside LocalHost's") { rows, runs, JsonOption };
        command.SetAction((a, c) => FunctionsPath.RunAsync(new(line, a.GetValue(rows), a.GetValue(runs), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command VerifyCommand(string line)
    {
        var sizes = Sizes();
        var runs = Number("--runs", "How often at each size", 3, 1);
        var command = new Command("verify", "What comparing all of lake and table costs, here and in Postgres") { sizes, runs, JsonOption };
        command.SetAction(
            (a, c) => VerifyCost.RunAsync(new(line, a.GetValue(sizes)!, a.GetValue(runs), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command InstancesCommand(string line)
    {
        var rows = Number("--rows", "Orders in the backlog", 4_000_000, 1);
        var counts = Numbers("--counts", "Instances that store, one number after the other", [1, 2, 4, 8]);
        var percent = Number("--percent", "Of one core, for each instance", 10, 1);
        var partitions = Number("--partitions", "Partitions of the topic", 8, 1);
        var command = new Command("instances", "A backlog stored by one instance and by several, each held to a share of a core")
        {
            rows, counts, percent, partitions, JsonOption,
        };
        command.SetAction(
            (a, c) => Instances.RunAsync(
                new(
                    line, a.GetValue(rows), a.GetValue(counts)!, a.GetValue(percent), a.GetValue(partitions), a.GetValue(JsonOption)), c));
        return command;
    }

    private static Command HotCommand()
    {
        var filter = new Option<string>("--filter")
        {
            Description = "Which benchmarks, by a pattern with *", HelpName = "pattern", DefaultValueFactory = _ => "*",
        };
        var command = new Command(
            "hot",
            "The hot code by itself, by BenchmarkDotNet: COPY row to message, message to columns, columns to file; "
            + "with allocations") { filter };
        command.SetAction(a => HotBenchmarks.Run(a.GetValue(filter)!));
        return command;
    }

    private static Command PublishCommand()
    {
        var command = new Command("publish", "Publishes LocalHost as all others and the tests need it, and says where");
        command.SetAction((_, c) => PublishedHost.PublishOnlyAsync(c));
        return command;
    }

    private static Command LimitCommand()
    {
        var command = new Command("limit", "One limit, in a process of its own") { Hidden = true };
        command.SetAction((_, c) => LimitTask.RunAsync(c));
        return command;
    }

    private static Command HostCommand()
    {
        var configuration = new Option<string>("--config") { Required = true };
        var once = new Option<bool>("--once");
        var only = new Option<string?>("--only");
        var command = new Command(UnpublishedHost.Verb, "LocalHost against the in-process broker") { configuration, once, only };
        command.Hidden = true;
        command.SetAction((a, c) => UnpublishedHost.RunAsync(a.GetRequiredValue(configuration), a.GetValue(once), a.GetValue(only), c));
        return command;
    }

    private static Option<int[]> Sizes() =>
        Numbers("--sizes", "Orders in the table, one size after the other", [100_000, 1_000_000, 10_000_000]);

    private static Option<int[]> Numbers(string name, string description, int[] values)
    {
        var option = new Option<int[]>(name)
        {
            Description = description, HelpName = "numbers", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => values,
        };
        option.Validators.Add(r =>
        {
            if (r.Tokens.Any(t => int.TryParse(t.Value, out var given) && given < 1)) r.AddError($"{name} must be 1 at least");
        });
        return option;
    }

    private static Option<int> Number(string name, string description, int value, int least)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "number", DefaultValueFactory = _ => value };
        option.Validators.Add(r =>
        {
            if (r.Tokens.Count == 1 && int.TryParse(r.Tokens[0].Value, out var given) && given < least)
                r.AddError($"{name} is {given}; it must be {least} at least");
        });
        return option;
    }
}
