using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.TestKit;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>What a developer's machine and the container set, against what the app takes.</summary>
public sealed partial class SettingsTests
{
    [Fact]
    public void local_settings_say_the_same_as_the_shipped_configuration()
    {
        var options = FunctionsConfiguration.Load(
            Path.Combine(Repository.Root, "FunctionApp", "bin", "output"), ShippedFiles.LocalSettings(), KafkaTriggerBuild.Default);
        Assert.Equal(("localhost", "localhost:9092"), (options.Postgres.Host, options.Kafka.Brokers));
        Assert.Equal(Path.Combine(Repository.Root, "datalake", "food", "demo", "output", "orders"), options.Datalake.Path);
    }

    [Fact]
    public void local_settings_have_every_name_that_a_trigger_takes()
    {
        var settings = ShippedFiles.LocalSettings();
        Assert.All(TriggerTests.NamesTaken(), name => Assert.NotEqual("", settings.GetValueOrDefault(name, "")));
        Assert.Equal(("dotnet-isolated", ""), (settings["FUNCTIONS_WORKER_RUNTIME"], settings["AzureWebJobsStorage"]));
        Assert.Equal(8080, ShippedFiles.Json("local.settings.json")["Host"]!["LocalHttpPort"]!.GetValue<int>());
    }

    [Fact]
    public void local_settings_hold_no_secret() =>
        Assert.DoesNotContain(ShippedFiles.LocalSettings().Keys, name => name.Contains("PASSWORD", StringComparison.OrdinalIgnoreCase));

    [Fact]
    public void the_container_has_every_name_that_a_trigger_takes()
    {
        var compose = Repository.PathOf("docker-compose.yml");
        Assert.SkipUnless(File.Exists(compose), "there is no docker-compose.yml");
        var set = SetName().Matches(File.ReadAllText(compose)).Select(m => m.Groups[1].Value).ToHashSet();
        Assert.Subset(set, TriggerTests.NamesTaken().ToHashSet());
    }

    /// <summary>A value that may be "warn", which the host looks for first.</summary>
    [Fact]
    public async Task a_fault_that_the_host_takes_for_a_warning_is_followed_by_an_error()
    {
        var settings = ShippedFiles.LocalSettings();
        settings["Kafka__Compacted"] = "warning";
        using var errors = new StringWriter();

        Assert.Equal(2, await Program.RunAsync([], Path.Combine(Repository.Root, "FunctionApp"), settings, errors));

        var lines = errors.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal([LogLevel.Warning, LogLevel.Error], lines.Select(HostConsole.LevelOf));
    }

    [Fact]
    public async Task nothing_starts_where_the_settings_are_wrong_and_all_that_is_wrong_is_told()
    {
        var settings = ShippedFiles.LocalSettings();
        settings["KAFKA_TOPIC"] = "";
        settings["KAFKA_GROUP"] = "somebody";
        settings["Postgres__Port"] = "70000";
        settings["Postgres__Password"] = "the-secret-word";
        using var errors = new StringWriter();

        var exitCode = await Program.RunAsync([], Path.Combine(Repository.Root, "FunctionApp"), settings, errors);

        Assert.Equal(2, exitCode);
        var lines = errors.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.All(lines, l => Assert.Equal(LogLevel.Error, HostConsole.LevelOf(l)));
        Assert.Contains(
            lines,
            l => l.StartsWith("error: KAFKA_TOPIC: is empty", StringComparison.Ordinal)
                && l.Contains("'demo_food_orders_raw'", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("error: KAFKA_GROUP: is 'somebody', but", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("error: Postgres__Port: ", StringComparison.Ordinal));
        Assert.DoesNotContain("secret-word", errors.ToString());
    }

    [Fact]
    public void a_configuration_that_cannot_be_used_is_told_as_such() =>
        Assert.Throws<ConfigurationException>(
            () =>
                new Microsoft.Extensions.DependencyInjection.ServiceCollection()
                    .AddFunctionApp(Path.GetTempPath(), ShippedFiles.LocalSettings()));

    /// <summary>What is pushed is read all the time; what is asked for, when it is.</summary>
    [Theory, InlineData("", false), InlineData("http://127.0.0.1:4317", true)]
    public void a_status_is_read_by_the_app_itself_where_metrics_are_pushed(string endpoint, bool isRead)
    {
        var settings = ShippedFiles.LocalSettings();
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
        var services = new Microsoft.Extensions.DependencyInjection.ServiceCollection()
            .AddFunctionApp(Path.Combine(Repository.Root, "FunctionApp", "bin", "output"), settings);
        Assert.Equal(isRead, services.Any(s => s.ImplementationType?.Name == "SamplerService"));
    }

    [GeneratedRegex("(?m)^ +([A-Za-z0-9_]+): ")]
    private static partial Regex SetName();
}
