using System.Globalization;
using OrdersStream.Kafka;
using OrdersStream.UnitTests.Configuration;

namespace OrdersStream.UnitTests.Stack;

/// <summary>Holds docker-compose.yml to what it promises on its own: names, ports, mounts, health, order, limits.</summary>
public sealed class ComposeFileTests
{
    private static readonly string[] Servers = ["postgres", "zookeeper", "kafka", "functions"];
    private readonly ComposeFile compose = new();

    public static TheoryData<string> EveryService() => [.. new ComposeFile().Services];

    public static TheoryData<string> EveryServer() => [.. Servers];

    [Fact]
    public void the_services_are_the_four_servers_and_one_that_prepares_the_lake() =>
        Assert.Equal([.. Servers.Append("datalake").Order()], compose.Services.Order());

    [Theory]
    [MemberData(nameof(EveryService))]
    public void every_container_has_its_name(string service) => Assert.Equal($"food_delivery_{service}", Of(service, "container_name"));

    [Theory]
    [InlineData("postgres", "5432")]
    [InlineData("zookeeper", "2181")]
    [InlineData("kafka", "9092")]
    [InlineData("functions", "8080")]
    public void each_server_has_one_port_and_shows_it_to_this_machine_only(string service, string port) =>
        Assert.Equal([$"127.0.0.1:{port}:{port}"], compose.List("services", service, "ports"));

    [Fact]
    public void images_are_pinned_and_the_last_that_have_zookeeper()
    {
        Assert.Equal("postgres:15", Of("postgres", "image"));
        Assert.Matches(@"^confluentinc/cp-kafka:7\.9\.\d+$", Of("kafka", "image"));
        Assert.Equal(Of("kafka", "image")!.Replace("cp-kafka", "cp-zookeeper"), Of("zookeeper", "image"));
        Assert.Equal((".", "FunctionApp/Dockerfile"),
            (compose.Value("services", "functions", "build", "context"), compose.Value("services", "functions", "build", "dockerfile")));
    }

    [Fact]
    public void there_is_no_version_line_since_both_composes_read_the_file_without() => Assert.Null(compose.Value("version"));

    [Theory]
    [MemberData(nameof(EveryServer))]
    public void all_servers_meet_on_one_network(string service)
    {
        Assert.Equal(["food_delivery_network"], compose.List("services", service, "networks"));
        Assert.Equal("food_delivery_network", compose.Value("networks", "food_delivery_network", "name"));
    }

    [Fact]
    public void what_must_outlive_a_container_is_in_volumes()
    {
        Assert.Equal(["kafka_data", "postgres_data", "zookeeper_data", "zookeeper_log"], compose.Keys("volumes").Order());
        Assert.Contains("postgres_data:/var/lib/postgresql/data", compose.List("services", "postgres", "volumes"));
        Assert.Equal(["kafka_data:/var/lib/kafka/data"], compose.List("services", "kafka", "volumes"));
        // Both of ZooKeeper's: without them it names a new cluster, and the broker refuses the data it has.
        Assert.Equal(
            ["zookeeper_data:/var/lib/zookeeper/data", "zookeeper_log:/var/lib/zookeeper/log"],
            compose.List("services", "zookeeper", "volumes"));
    }

    [Fact]
    public void scripts_and_configuration_are_read_only_and_the_lake_is_not()
    {
        Assert.Contains("./db:/docker-entrypoint-initdb.d:ro", compose.List("services", "postgres", "volumes"));
        Assert.Equal(["./configs:/configs:ro", "./datalake:/datalake"], compose.List("services", "functions", "volumes"));
        Assert.Equal(["./datalake:/datalake"], compose.List("services", "datalake", "volumes"));
        foreach (var folder in (string[])["db", "configs", "datalake"])
            Assert.True(Directory.Exists(Path.Combine(ConfigurationFile.Repository, folder)), folder);
    }

    [Theory]
    [InlineData("postgres", "pg_isready", "_orders\\\"")]
    [InlineData("zookeeper", "/dev/tcp/127.0.0.1/2181", "srvr")]
    [InlineData("kafka", "kafka-broker-api-versions", "kafka:29092")]
    [InlineData("functions", "/dev/tcp/127.0.0.1/8080", "GET /api/status HTTP/1.1")]
    public void each_servers_health_is_asked_of_the_server(string service, string tool, string question)
    {
        var test = compose.List("services", service, "healthcheck", "test");
        Assert.Contains(test[0], (string[])["CMD", "CMD-SHELL"]);
        Assert.Contains(tool, test[^1]);
        Assert.Contains(question, test[^1]);
        foreach (var key in (string[])["interval", "timeout", "start_period"])
            Assert.Matches("^[1-9][0-9]*s$", compose.Value("services", service, "healthcheck", key));
        Assert.NotNull(compose.Value("services", service, "healthcheck", "retries"));
    }

    [Fact]
    public void each_server_waits_until_what_it_needs_is_healthy()
    {
        Assert.Equal([("zookeeper", "service_healthy")], DependenciesOf("kafka"));
        Assert.Equal(
            [("datalake", "service_completed_successfully"), ("kafka", "service_healthy"), ("postgres", "service_healthy")],
            DependenciesOf("functions"));
    }

    [Theory]
    [MemberData(nameof(EveryService))]
    public void every_container_has_limits_and_gains_no_rights(string service)
    {
        Assert.Matches("^[1-9][0-9]*m$", Of(service, "mem_limit"));
        Assert.InRange(double.Parse(Of(service, "cpus")!, CultureInfo.InvariantCulture), 0.1, 4);
        Assert.InRange(int.Parse(Of(service, "pids_limit")!, CultureInfo.InvariantCulture), 1, 1024);
        Assert.Equal(["no-new-privileges:true"], compose.List("services", service, "security_opt"));
        // The Postgres image begins as root and steps down by itself.
        if (service != "postgres") Assert.Equal(["ALL"], compose.List("services", service, "cap_drop"));
    }

    [Theory]
    [MemberData(nameof(EveryServer))]
    public void every_server_comes_back_after_a_crash_and_has_time_to_end(string service)
    {
        Assert.Equal("unless-stopped", Of(service, "restart"));
        Assert.InRange(int.Parse(Of(service, "stop_grace_period")!.TrimEnd('s'), CultureInfo.InvariantCulture), 15, 60);
    }

    [Fact]
    public void the_functions_write_to_the_lake_alone_and_not_as_root()
    {
        Assert.Equal("1000:1000", Of("functions", "user"));
        var own = new ComposeFile(new Dictionary<string, string> { ["HOST_UID"] = "1234", ["HOST_GID"] = "99" });
        Assert.Equal("1234:99", own.Value("services", "functions", "user"));
        Assert.Equal("true", Of("functions", "read_only"));
        Assert.StartsWith("/tmp:", Assert.Single(compose.List("services", "functions", "tmpfs")));
        var environment = compose.Environment("functions");
        foreach (var name in (string[])["HOME", "FUNCTIONS_SECRETS_PATH", "FUNCTIONS_LOG_PATH"])
            Assert.StartsWith("/tmp", environment[name]);
    }

    [Fact]
    public void the_lake_is_given_to_the_user_that_writes_it()
    {
        var given = new ComposeFile(new Dictionary<string, string> { ["HOST_UID"] = "1234", ["HOST_GID"] = "99" });
        var prepared = given.Environment("datalake");
        Assert.Equal(given.Value("services", "functions", "user"), $"{prepared["LAKE_UID"]}:{prepared["LAKE_GID"]}");
        // It has rights over files, so it has nothing else: no network, no other folder.
        Assert.Equal("none", Of("datalake", "network_mode"));
        Assert.Equal(["CHOWN", "DAC_OVERRIDE"], compose.List("services", "datalake", "cap_add").Order());
        Assert.Equal("no", Of("datalake", "restart"));
    }

    [Fact]
    public void kafka_is_localhost_outside_and_its_service_name_inside()
    {
        var kafka = compose.Environment("kafka");
        Assert.Equal(["INSIDE://kafka:29092", "OUTSIDE://localhost:9092"], kafka["KAFKA_ADVERTISED_LISTENERS"].Split(',').Order());
        Assert.Equal(["INSIDE://0.0.0.0:29092", "OUTSIDE://0.0.0.0:9092"], kafka["KAFKA_LISTENERS"].Split(',').Order());
        Assert.Equal("INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT", kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]);
        Assert.Equal("INSIDE", kafka["KAFKA_INTER_BROKER_LISTENER_NAME"]);
        Assert.Equal("zookeeper:2181", kafka["KAFKA_ZOOKEEPER_CONNECT"]);
        Assert.Equal("2181", compose.Environment("zookeeper")["ZOOKEEPER_CLIENT_PORT"]);
    }

    [Fact]
    public void groups_and_transactions_work_on_one_broker()
    {
        var kafka = compose.Environment("kafka");
        foreach (var name in (string[])
            [
                "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
                "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
                "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR",
            ])
            Assert.Equal("1", kafka[name]);
    }

    [Fact]
    public void kafka_takes_the_largest_record_of_a_topic_that_is_created()
    {
        var kafka = compose.Environment("kafka");
        foreach (var name in (string[])["KAFKA_MESSAGE_MAX_BYTES", "KAFKA_REPLICA_FETCH_MAX_BYTES"])
            Assert.True(long.Parse(kafka[name], CultureInfo.InvariantCulture) >= KafkaClients.NewTopicRecordBytes, name);
    }

    private string? Of(string service, string key) => compose.Value("services", service, key);

    private (string Service, string? Condition)[] DependenciesOf(string service)
    {
        string[] path = ["services", service, "depends_on"];
        return [.. compose.Keys(path).Order().Select(s => (s, compose.Value([.. path, s, "condition"])))];
    }
}
