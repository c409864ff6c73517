using OrdersStream.Configuration;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>The environment of the containers agrees with the shipped configuration and with .env.example.</summary>
public sealed class StackSettingsTests
{
    private static readonly string ConfigurationPath = Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml");

    public static TheoryData<string?> RollNumbers() => new((string?)null, "", "24BCS001", "2024-CS_07");

    [Theory]
    [MemberData(nameof(RollNumbers))]
    public void triggers_and_configuration_name_the_same_things(string? rollNumber)
    {
        var environment = Functions(rollNumber);
        var options = Load(environment);
        Assert.Equal(string.IsNullOrEmpty(rollNumber) ? "demo_orders" : $"{rollNumber}_orders", options.Postgres.Table);
        Assert.Equal(options.Kafka.Brokers, environment["KAFKA_BROKERS"]);
        Assert.Equal(options.Kafka.Topic, environment["KAFKA_TOPIC"]);
        Assert.Equal(options.Kafka.EffectiveGroupId, environment["KAFKA_GROUP"]);
        Assert.Equal($"*/{options.Streaming.BatchInterval} * * * * *", environment["POSTGRES_TO_KAFKA_SCHEDULE"]);
    }

    [Fact]
    public void the_functions_use_the_listener_for_containers()
    {
        var compose = new ComposeFile();
        Assert.Contains(
            $"INSIDE://{compose.Environment("functions")["KAFKA_BROKERS"]}",
            compose.Environment("kafka")["KAFKA_ADVERTISED_LISTENERS"].Split(','));
    }

    [Theory]
    [MemberData(nameof(RollNumbers))]
    public void the_table_that_the_init_script_makes_is_the_one_that_is_captured(string? rollNumber)
    {
        var postgres = new ComposeFile(Given("ROLLNUMBER", rollNumber)).Environment("postgres");
        Assert.Equal($"{postgres["ROLLNUMBER"]}_orders", Load(Functions(rollNumber)).Postgres.Table);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("p@ss word")]
    public void the_functions_log_in_as_the_role_that_postgres_is_made_with(string? password)
    {
        var compose = new ComposeFile(Given("POSTGRES_PASSWORD", password));
        var postgres = compose.Environment("postgres");
        var options = Load(compose.Environment("functions")).Postgres;
        Assert.Equal(
            (postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"], postgres["POSTGRES_DB"]),
            (options.User, options.Password, options.Db));
        Assert.Equal(("postgres", 5432), (options.Host, options.Port));
        Assert.Contains("postgres", compose.Services);
    }

    [Fact]
    public void everything_that_is_written_lies_below_the_mounted_lake()
    {
        var environment = Functions("r1");
        var options = Load(environment);
        var mounted = new ComposeFile().List("services", "functions", "volumes")
            .Single(v => v.StartsWith("./datalake:", StringComparison.Ordinal)).Split(':')[1];
        var (lake, checkpoint, watermark) =
            (options.Datalake.Path, options.Streaming.CheckpointLocation, options.Streaming.LastProcessedTimestampLocation);
        // The folder that the datalake service prepares.
        foreach (var path in (string[])[lake, checkpoint, watermark])
            Assert.StartsWith($"{mounted}/food/", path);
        Assert.Contains($"mkdir -p -m 0755 {mounted}/food", new ComposeFile().List("services", "datalake", "entrypoint")[^1]);
    }

    [Fact]
    public void the_configuration_is_found_where_it_is_mounted() =>
        Assert.Equal("/configs/orders_stream.yml", new ComposeFile().Environment("functions")["ORDERS_STREAM_CONFIG"]);

    [Theory]
    // no storage account, keys in files, no home page before ours, a port that needs no root.
    [InlineData("AzureWebJobsStorage", "")]
    [InlineData("AzureWebJobsSecretStorageType", "files")]
    [InlineData("AzureWebJobsDisableHomepage", "true")]
    [InlineData("AzureWebJobsScriptRoot", "/home/site/wwwroot")]
    [InlineData("FUNCTIONS_WORKER_RUNTIME", "dotnet-isolated")]
    [InlineData("AzureFunctionsJobHost__Logging__Console__IsEnabled", "true")]
    [InlineData("ASPNETCORE_URLS", "http://+:8080")]
    public void the_functions_host_is_told_what_it_needs(string name, string value) =>
        Assert.Equal(value, new ComposeFile().Environment("functions")[name]);

    [Fact]
    public void nothing_has_to_be_set_and_everything_that_can_be_stands_in_the_example()
    {
        var example = Example();
        Assert.NotEmpty(ComposeFile.References());
        foreach (var (name, fallback) in ComposeFile.References())
        {
            Assert.True(fallback is not null, $"${{{name}}} has no default");
            Assert.True(example.TryGetValue(name, out var shown), $"{name} is not in .env.example");
            Assert.Equal(fallback, shown);
        }
        Assert.Equal(ComposeFile.References().Select(r => r.Name).Distinct().Order(), example.Keys.Order());
    }

    [Fact]
    public void the_env_file_is_kept_out_of_git_and_of_the_image()
    {
        Assert.Contains(".env", ComposeFile.RepositoryFile(".gitignore").Split('\n'));
        Assert.Equal("*", ComposeFile.RepositoryFile(".dockerignore").Split('\n').First(l => l != "" && l[0] != '#'));
        Assert.DoesNotContain("!.env", ComposeFile.RepositoryFile(".dockerignore").Split('\n'));
    }

    internal static Dictionary<string, string> Example() =>
        ComposeFile.RepositoryFile(".env.example").Split('\n').Where(l => l != "" && l[0] != '#')
            .Select(l => l.Split('=', 2)).ToDictionary(p => p[0], p => p[1]);

    private static Dictionary<string, string> Functions(string? rollNumber) =>
        new ComposeFile(Given("ROLLNUMBER", rollNumber)).Environment("functions");

    private static Dictionary<string, string> Given(string name, string? value) => value is null ? [] : new() { [name] = value };

    private static PipelineOptions Load(Dictionary<string, string> environment) =>
        ConfigurationLoader.Load(ConfigurationPath, [], environment, null);
}
