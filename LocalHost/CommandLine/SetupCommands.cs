using System.CommandLine;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.Verbs;

namespace OrdersStream.LocalHost.CommandLine;

// The verbs of whoever sets a stream up.
internal static partial class Commands
{
    private static Command Check()
    {
        var json = new Option<bool>("--json") { Description = "Print one JSON object" };
        var hostFile = new Option<string?>("--host-file")
        {
            Description = "Look at this host.json of the function app; without it at one in the working folder or its FunctionApp",
            HelpName = "file",
        };
        var command = new Command(
            CheckName,
            "Looks at all that the stream needs, before it goes live and after, and changes nothing; ends with 0 when it is ready, 1 when "
            + "something would stop it or lose rows, 2 when it cannot be told")
        {
            json, hostFile,
        };
        command.Aliases.Add("doctor");
        return WithConfiguration(command, (arguments, pipeline, cancellationToken) => CheckVerb.ExecuteAsync(
            new CheckOptions(
                pipeline, arguments.GetValue(hostFile), arguments.GetValue(json), arguments.GetValue(LogLevelOption)), cancellationToken));
    }

    private static Command Config()
    {
        var configuration = new ConfigurationInput();
        var command = new Command(
            ConfigName, "Prints every key of the configuration: meaning, unit, range and default, as YAML comments; or checks a file");
        configuration.AddCheckTo(command);
        command.SetAction(arguments =>
        {
            if (configuration.Check(arguments) is not { } good) Console.Out.Write(SettingsText.Describe());
            else Console.Out.WriteLine(
                $"{good.File} can be used: {good.Options.Postgres.Schema}.{good.Options.Postgres.Table} -> {good.Options.Kafka.Topic} -> "
                + good.Options.Datalake.Path);
        });
        return command;
    }

    private static Command Init()
    {
        var table = new Option<string>("--table") { Description = "The table", HelpName = "name", Required = true };
        var schema = new Option<string?>("--schema") { Description = "Its schema; default: postgres.schema", HelpName = "name" };
        var role = new Option<string?>("--role")
        {
            Description = "The role that the pipeline is to log in as; default: postgres.user, who asks", HelpName = "name",
        };
        var sql = new Option<bool>("--sql") { Description = "Print what the table lacks, as statements for psql, instead" };
        var configuration = new ConfigurationInput();
        var command = new Command(
            InitName,
            "Asks Postgres about a table, and prints a configuration for its stream, or what the table lacks; the servers are those of the "
            + "configuration that there is, and nothing is changed")
        {
            table, schema, role, sql,
        };
        configuration.AddServersTo(command);
        command.SetAction((arguments, cancellationToken) =>
        {
            var servers = configuration.LoadServers(arguments);
            var postgres = servers.Postgres with
            {
                Table = arguments.GetRequiredValue(table), Schema = arguments.GetValue(schema) ?? servers.Postgres.Schema,
            };
            return InitVerb.ExecuteAsync(
                new InitOptions(servers with { Postgres = postgres }, arguments.GetValue(role), arguments.GetValue(sql)),
                cancellationToken);
        });
        return command;
    }
}
