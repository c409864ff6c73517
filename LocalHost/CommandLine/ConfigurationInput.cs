using System.CommandLine;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.CommandLine;

/// <summary>The options by which <c>run</c>, <c>verify</c> and <c>status</c> take their configuration.</summary>
internal sealed class ConfigurationInput
{
    public const string DefaultFile = "configs/orders_stream.yml";

    private readonly Option<string> file = new("--config", "-c")
    {
        Description = "YAML file with the configuration",
        HelpName = "file",
        DefaultValueFactory = _ => DefaultFile,
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
        command.Add(file);
        command.Add(overrides);
        command.Add(rollnumber);
        command.Add(print);
    }

    /// <exception cref="ConfigurationException">With every fault found.</exception>
    public PipelineOptions Load(ParseResult arguments) => ConfigurationLoader.Load(
        arguments.GetRequiredValue(file),
        arguments.GetRequiredValue(overrides),
        ConfigurationLoader.ProcessEnvironment(),
        arguments.GetValue(rollnumber));

    public bool IsPrintOnly(ParseResult arguments) => arguments.GetValue(print);
}
