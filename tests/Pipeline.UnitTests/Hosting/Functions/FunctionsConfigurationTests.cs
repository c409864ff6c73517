using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Hosting.Functions;

public sealed class FunctionsConfigurationTests : IDisposable
{
    private static readonly string Shipped = File.ReadAllText(Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml"));

    private readonly TempFolder folder = new();
    private readonly Dictionary<string, string> environment = new()
    {
        ["ROLLNUMBER"] = "r1", ["KAFKA_BROKERS"] = "kafka:29092",
        ["KAFKA_TOPIC"] = "r1_food_orders_raw", ["KAFKA_GROUP"] = "r1_food_orders_raw-to-lake",
        ["POSTGRES_TO_KAFKA_SCHEDULE"] = "*/5 * * * * *", ["AzureWebJobsStorage"] = "", ["POSTGRES_PASSWORD"] = "the-secret-word",
    };

    public FunctionsConfigurationTests()
    {
        Directory.CreateDirectory(folder["configs"]);
        Directory.CreateDirectory(folder["FunctionApp/bin/output"]);
        Write(Shipped);
    }

    [Fact]
    public void settings_that_agree_are_taken()
    {
        var options = Load();
        Assert.Equal(("r1_food_orders_raw", "the-secret-word"), (options.Kafka.Topic, options.Postgres.Password));
    }

    [Fact]
    public void relative_paths_lead_to_the_folder_above_configs_wherever_the_app_runs()
    {
        environment["DATALAKE"] = "datalake";
        var options = Load();
        Assert.Equal(folder["datalake/food/r1/output/orders"], options.Datalake.Path);
        Assert.Equal(folder["datalake/food/r1/checkpoints/orders"], options.Streaming.CheckpointLocation);
        Assert.Equal(folder["datalake/food/r1/lastprocess/orders"], options.Streaming.LastProcessedTimestampLocation);
    }

    [Fact]
    public void files_that_the_configuration_names_are_looked_for_there_too()
    {
        File.WriteAllText(folder["root.pem"], "");
        environment["Postgres__SslMode"] = "verify-full";
        environment["Postgres__SslRootCert"] = "root.pem";
        Assert.Equal(folder["root.pem"], Load().Postgres.Sslrootcert);
    }

    [Fact]
    public void a_url_is_no_folder()
    {
        environment["DATALAKE"] = "s3://bucket";
        Assert.Equal(3, Faults().Count(f => f.Contains("URL", StringComparison.Ordinal)));
    }

    /// <summary>The timer's half logs in by the library; the trigger by itself.</summary>
    [Fact]
    public void tokens_are_taken_for_postgres_and_refused_for_kafka()
    {
        environment["Postgres__Auth"] = "entra";
        environment["Postgres__Password"] = "";
        environment["Postgres__SslMode"] = "require";
        var options = Load();
        Assert.Equal((true, null), (options.Postgres.UsesTokens, options.Postgres.Password));

        environment["Kafka__Auth"] = "entra";
        environment["Kafka__SecurityProtocol"] = "sasl_ssl";
        Assert.Equal(
            [
                "Kafka__Auth: kafka.auth is entra, and the Kafka trigger takes no token of an identity; set kafka.auth to password, or let "
                    + "LocalHost's image (deploy/Dockerfile) run both halves",
            ],
            Faults());
    }

    [Theory]
    [InlineData("configs/other.yml")]
    [InlineData("/")]
    public void the_environment_names_the_file(string name)
    {
        Write(Shipped.Replace("batch_interval: 5", "batch_interval: 10", StringComparison.Ordinal), "other.yml");
        environment["ORDERS_STREAM_CONFIG"] = name == "/" ? folder["configs/other.yml"] : name;
        environment["POSTGRES_TO_KAFKA_SCHEDULE"] = "*/10 * * * * *";
        Assert.Equal(10, Load().Streaming.BatchInterval);
    }

    [Fact]
    public void a_file_that_is_not_there_is_a_fault_that_says_where_it_was_looked_for()
    {
        environment["ORDERS_STREAM_CONFIG"] = "configs/none.yml";
        var fault = $"ORDERS_STREAM_CONFIG: there is no 'configs/none.yml' in '{folder["FunctionApp/bin/output"]}' or a folder above it; "
            + "set ORDERS_STREAM_CONFIG to the path of the YAML file";
        Assert.Equal([fault], Faults());
    }

    [Fact]
    public void a_whole_path_that_leads_nowhere_is_a_fault_of_the_variable_that_names_it()
    {
        var none = folder["configs/none.yml"];
        environment["ORDERS_STREAM_CONFIG"] = none;
        Assert.Equal(
            [$"ORDERS_STREAM_CONFIG: there is no '{none}'; set ORDERS_STREAM_CONFIG to the path of the YAML file"], Faults());
    }

    [Fact]
    public void every_disagreement_is_told_at_once_with_both_values_and_their_places()
    {
        environment["Kafka__Brokers"] = "other:9092";
        environment["KAFKA_TOPIC"] = "r2_food_orders_raw";
        environment["KAFKA_GROUP"] = "somebody";
        environment["POSTGRES_TO_KAFKA_SCHEDULE"] = "0 * * * * *";
        environment["AzureWebJobsStorage"] = "UseDevelopmentStorage=true";

        var yml = folder["configs/orders_stream.yml"];
        Assert.Equal(
            [
                "AzureWebJobsStorage: is 'UseDevelopmentStorage=true', with which the timer never starts where no storage emulator runs; "
                    + "leave it empty: no storage account is needed",
                "KAFKA_BROKERS: is 'kafka:29092', but kafka.brokers is 'other:9092' (Kafka__Brokers); change the one that is wrong",
                "KAFKA_GROUP: is 'somebody', but kafka.group_id is 'r1_food_orders_raw-to-lake' (its default); "
                    + "change the one that is wrong",
                $"KAFKA_TOPIC: is 'r2_food_orders_raw', but kafka.topic is 'r1_food_orders_raw' ({yml}:{LineOf("topic:")}:10); "
                    + "change the one that is wrong",
                "POSTGRES_TO_KAFKA_SCHEDULE: is '0 * * * * *', "
                    + $"but streaming.batch_interval is 5 s ({yml}:{LineOf("batch_interval:")}:19), which is the schedule '*/5 * * * * *'; "
                    + "change the one that is wrong",
            ],
            Faults());
    }

    [Theory]
    [InlineData(null, "not set")]
    [InlineData("", "empty")]
    public void what_is_missing_is_told_with_the_value_that_it_should_have(string? value, string how)
    {
        foreach (var name in new[] { "KAFKA_BROKERS", "KAFKA_TOPIC", "KAFKA_GROUP", "POSTGRES_TO_KAFKA_SCHEDULE" })
        {
            environment.Remove(name);
            if (value is not null) environment[name] = value;
        }
        var faults = Faults();
        Assert.Equal(4, faults.Count);
        Assert.All(faults, f => Assert.Contains($": is {how}, ", f));
        Assert.Contains(faults, f => IsOf(f, "KAFKA_GROUP") && f.Contains("'r1_food_orders_raw-to-lake'", StringComparison.Ordinal));
        Assert.Contains(faults, f => IsOf(f, "POSTGRES_TO_KAFKA_SCHEDULE") && f.Contains("'*/5 * * * * *'", StringComparison.Ordinal));
    }

    [Fact]
    public void faults_of_the_configuration_are_told_with_those_of_the_settings()
    {
        environment["Postgres__Port"] = "70000";
        environment["KAFKA_GROUP"] = "somebody";
        Assert.Equal(2, Faults().Count);
    }

    [Fact]
    public void servers_agree_in_any_order()
    {
        environment["Kafka__Brokers"] = "b:9092, a:9092";
        environment["KAFKA_BROKERS"] = "a:9092,B:9092";
        Assert.Equal("b:9092, a:9092", Load().Kafka.Brokers);
    }

    [Fact]
    public void a_build_that_speaks_otherwise_than_configured_is_refused()
    {
        environment["Kafka__SecurityProtocol"] = "sasl_ssl";
        environment["Kafka__SaslMechanism"] = "SCRAM-SHA-512";
        environment["Kafka__SaslUsername"] = "me";
        environment["Kafka__SaslPassword"] = "the-secret-word";
        var fault = Assert.Single(Faults());
        Assert.Contains("sasl_ssl with SCRAM-SHA-512", fault);
        Assert.Contains("speaks plaintext", fault);
        Assert.Contains("-p:KafkaSecurity=SaslSsl -p:KafkaMechanism=ScramSha512", fault);
    }

    [Fact]
    public void a_build_with_sasl_needs_its_credentials_and_shows_no_password()
    {
        environment["Kafka__SecurityProtocol"] = "sasl_ssl";
        environment["Kafka__SaslMechanism"] = "PLAIN";
        environment["Kafka__SaslUsername"] = "me";
        environment["Kafka__SaslPassword"] = "the-secret-word";
        environment["KAFKA_SASL_USERNAME"] = "you";
        environment["KAFKA_SASL_PASSWORD"] = "another-secret-word";
        var build = new KafkaTriggerBuild("sasl_ssl", "PLAIN");

        var faults = Faults(build);

        Assert.Equal(2, faults.Count);
        Assert.DoesNotContain("secret-word", string.Concat(faults));
        Assert.Contains(faults, f => IsOf(f, "KAFKA_SASL_USERNAME: is 'you', but kafka.sasl_username is 'me' (Kafka__SaslUsername)"));
        Assert.Contains(faults, f => IsOf(f, "KAFKA_SASL_PASSWORD: differs from kafka.sasl_password (Kafka__SaslPassword)"));
        (environment["KAFKA_SASL_USERNAME"], environment["KAFKA_SASL_PASSWORD"]) = ("me", "the-secret-word");
        Assert.Equal("me", Load(build).Kafka.SaslUsername);
        environment["KAFKA_SASL_PASSWORD"] = "";
        Assert.DoesNotContain("secret-word", Assert.Single(Faults(build)));
    }

    public void Dispose() => folder.Dispose();

    private static bool IsOf(string fault, string beginning) => fault.StartsWith(beginning, StringComparison.Ordinal);

    private PipelineOptions Load(KafkaTriggerBuild? build = null) =>
        FunctionsConfiguration.Load(folder["FunctionApp/bin/output"], environment, build ?? KafkaTriggerBuild.Default);

    private List<string> Faults(KafkaTriggerBuild? build = null) =>
        [.. Assert.Throws<ConfigurationException>(() => Load(build)).Faults.Select(f => f.ToString())];

    private void Write(string text, string name = "orders_stream.yml") => File.WriteAllText(Path.Combine(folder["configs"], name), text);

    private static int LineOf(string key) =>
        Array.FindIndex(Shipped.Split('\n'), line => line.StartsWith("  " + key, StringComparison.Ordinal)) + 1;
}
