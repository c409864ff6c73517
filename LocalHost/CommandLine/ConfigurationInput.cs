using System.CommandLine;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>The options by which verbs take their configuration.</summary>
internal sealed class ConfigurationInput
{
    public const string DefaultFile = "configs/orders_stream.yml";

    private readonly Option<string> file = new("--config", "-c")
    {
        Description = "YAML file with the configuration; without it that of the working folder, else the one beside the program",
        HelpName = "file",
        DefaultValueFactory = _ => FindDefault(),
    };

    private readonly Option<string?> check = new("--check")
    {
        Description = "Check a YAML file as run would, and tell all that is wrong with it; no server is asked",
        HelpName = "file",
    };

    private readonly Option<string[]> overrides = new("--set")
    {
        Description = "Override one key; may be repeated (--set postgres.port=5433)",
        HelpName = "section.key=value",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> rollnumber = new("--rollnumber")
    {
        Description = "Replaces <rollnumber> in the configuration; default: the environment's ROLLNUMBER",
        HelpName = "rollnumber",
    };

    private readonly Option<bool> print = new("--print-config")
    {
        Description = "Print the configuration in force, secrets masked, and end",
    };

    public void AddTo(Command command)
    {
        AddServersTo(command);
        command.Add(print);
    }

    /// <summary>The same for a verb that takes servers from it, and nothing else.</summary>
    public void AddServersTo(Command command)
    {
        command.Add(file);
        command.Add(overrides);
        command.Add(rollnumber);
    }

    /// <summary>The same for a verb that only looks at the file.</summary>
    public void AddCheckTo(Command command)
    {
        command.Add(check);
        command.Add(overrides);
        command.Add(rollnumber);
        command.Validators.Add(arguments =>
        {
            if (arguments.GetResult(check) is null && arguments.GetResult(overrides) is { Implicit: false })
                arguments.AddError("--set says something of a configuration: name its file by --check");
        });
    }

    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public PipelineOptions Load(ParseResult arguments) => Load(arguments, arguments.GetRequiredValue(file));

    /// <summary>Of a configuration whose table does not matter: its roll number need not be given.</summary>
    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public PipelineOptions LoadServers(ParseResult arguments)
    {
        var environment = ConfigurationLoader.ProcessEnvironment();
        var given = arguments.GetValue(rollnumber) ?? (environment.ContainsKey("ROLLNUMBER") ? null : "none");
        return ConfigurationLoader.Load(
            arguments.GetRequiredValue(file), arguments.GetRequiredValue(overrides), environment, given);
    }

    /// <summary>The file that is to be checked, and what it says; null: none is.</summary>
    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public (string File, PipelineOptions Options)? Check(ParseResult arguments) =>
        arguments.GetValue(check) is { } path ? (path, Load(arguments, path)) : null;

    private PipelineOptions Load(ParseResult arguments, string path) => ConfigurationLoader.Load(
        path, arguments.GetRequiredValue(overrides), ConfigurationLoader.ProcessEnvironment(), arguments.GetValue(rollnumber));

    // A clone has it in its own folder; what was published has one beside the program.
    private static string FindDefault()
    {
        var beside = Path.Combine(AppContext.BaseDirectory, DefaultFile);
        return !File.Exists(DefaultFile) && File.Exists(beside) ? beside : DefaultFile;
    }

    public bool IsPrintOnly(ParseResult arguments) => arguments.GetValue(print);
}
