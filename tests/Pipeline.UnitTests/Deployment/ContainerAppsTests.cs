using System.CommandLine;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Site;
using static OrdersStream.UnitTests.Deployment.AzurePlan;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The container apps of deploy/azure, held against the program that they start, and against Kubernetes' scaling.</summary>
public sealed partial class ContainerAppsTests
{
    private const string Plan = "container-apps";

    public static TheoryData<string, string> Halves() =>
        new() { { "orders-capture", "postgres-to-kafka" }, { "orders-store", "kafka-to-lake" } };

    [Theory, MemberData(nameof(Halves))]
    public async Task by_tokens_a_container_app_has_no_password_at_all_and_its_identity_owns_the_namespace(string name, string half)
    {
        var bicep = await BicepFile.OfAsync(Plan, PostgresByTokens,
            "param brokers = { servers: 'events.servicebus.windows.net:9093', username: '', auth: 'entra' }",
            "param eventHubsNamespace = 'events'");
        Assert.Equal("", bicep.Said.Trim());
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var environment = EnvironmentOf(bicep, app);
        var options = Manifests.Load(environment);
        AssertLogsInByToken(bicep, options.Postgres);
        Assert.Equal((true, "sasl_ssl"), (options.Kafka.UsesTokens, options.Kafka.SecurityProtocol));
        AssertIsTheIdentity(app, environment["AZURE_CLIENT_ID"]);
        AssertAreTaken(environment);
        Assert.All(VariablesOf(app), v => Assert.Null(v["secretRef"]));
        Assert.Empty(app["properties"]!["configuration"]!["secrets"]!.AsArray());
        var rules = half == "kafka-to-lake" ? ScaleOf(app)["rules"]!.AsArray().Select(r => (string)r!["custom"]!["type"]!) : ["cpu"];
        // KEDA takes no token for Kafka.
        Assert.Equal(["cpu"], rules);
        AssertIsGiven(bicep, app, EventHubsDataOwner, "/Microsoft.EventHub/namespaces/events");
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_apps_image_is_pulled_by_the_identity_from_the_registry_where_it_may(string name, string half)
    {
        var bicep = await BicepFile.OfAsync(Plan);
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var container = Assert.Single(app["properties"]!["template"]!["containers"]!.AsArray())!;
        Assert.Equal($"[format('{{0}}/{{1}}', {Server}, 'orders-stream:1')]", (string)container["image"]!);
        var registry = Assert.Single(app["properties"]!["configuration"]!["registries"]!.AsArray())!;
        Assert.Equal(($"[{Server}]", IdentityOf(app)), ((string)registry["server"]!, (string)registry["identity"]!));
        AssertIsGiven(bicep, app, AcrPull, Registry);
        Assert.True(half is "postgres-to-kafka" or "kafka-to-lake");
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_app_is_one_half_of_the_program_its_probes_and_its_lake(string name, string half)
    {
        var bicep = await BicepFile.OfAsync(Plan);
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var template = app["properties"]!["template"]!;
        var container = Assert.Single(template["containers"]!.AsArray())!;
        var arguments = Commands.Root().Parse([.. container["args"]!.AsArray().Select(a => (string)a!)]);
        Assert.Empty(arguments.Errors);
        Assert.Equal(("run", half), (arguments.CommandResult.Command.Name, arguments.GetValue<string>("--only")));
        var port = arguments.GetValue<IPEndPoint>("--ui")!.Port;
        var ingress = app["properties"]!["configuration"]!["ingress"]!;
        // The page has no login.
        Assert.Equal((port, false), ((int)ingress["targetPort"]!, (bool)ingress["external"]!));
        var probes = container["probes"]!.AsArray().ToDictionary(p => (string)p!["type"]!, p => p!["httpGet"]!);
        Assert.Equal(
            [("Liveness", StatusSite.Live), ("Readiness", StatusSite.Ready), ("Startup", StatusSite.Live)],
            probes.Select(p => (p.Key, (string)p.Value["path"]!)).Order());
        Assert.All(probes.Values, p => Assert.Equal(port, (int)p["port"]!));
        Assert.True((int)template["terminationGracePeriodSeconds"]! > RunVerb.StopTimeout.TotalSeconds + 5);

        var (mount, volume) = (Assert.Single(container["volumeMounts"]!.AsArray())!, Assert.Single(template["volumes"]!.AsArray())!);
        Assert.Equal((string)mount["volumeName"]!, (string)volume["name"]!);
        AssertLiesBelow((string)mount["mountPath"]!, Manifests.Load(EnvironmentOf(bicep, app)));
        // A share has no links, no locks and no owners of its own: the commit log needs the first.
        Assert.Equal("AzureFile", (string)volume["storageType"]!);
        Assert.Equal(
            [.. $"uid={ImageTests.User.Replace(":", " gid=", StringComparison.Ordinal)}".Split(' '), "dir_mode=0755", "file_mode=0644",
                "mfsymlinks", "nobrl"],
            ((string)volume["mountOptions"]!).Split(','));
        var storage = Assert.Single(bicep.All("Microsoft.App/managedEnvironments/storages"));
        Assert.EndsWith("/" + (string)volume["storageName"]!, (string)storage["name"]!);
        var share = storage["properties"]!["azureFile"]!;
        AssertIsTheShare(bicep, (string)share["accountName"]!, (string)share["shareName"]!);
        AssertOpensTheAccount(bicep, (string)share["accountKey"]!);
        Assert.Equal("ReadWrite", (string)share["accessMode"]!);

        var place = Assert.Single(bicep.All("Microsoft.App/managedEnvironments"));
        Assert.Equal((string)place["id"]!, (string)app["properties"]!["environmentId"]!);
        var profile = Assert.Single(place["properties"]!["workloadProfiles"]!.AsArray())!;
        Assert.Equal(
            ("Consumption", (string)profile["name"]!),
            ((string)profile["workloadProfileType"]!, (string)app["properties"]!["workloadProfileName"]!));
        // One revision at a time: two would be two groups of pods for one stream.
        Assert.Equal("Single", (string)app["properties"]!["configuration"]!["activeRevisionsMode"]!);
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_app_takes_its_settings_and_its_passwords_are_secrets(string name, string half)
    {
        var bicep = await BicepFile.OfAsync(Plan);
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var environment = EnvironmentOf(bicep, app);
        AssertAreTaken(environment);
        var (postgres, kafka) = (Manifests.Load(environment).Postgres, Manifests.Load(environment).Kafka);
        Assert.Equal(
            ("demo_orders", "postgres.example.com", BicepFile.Passwords["postgresPassword"]),
            (postgres.Table, postgres.Host, postgres.Password));
        Assert.Equal(
            ("broker.example.com:9093", "sasl_ssl", "PLAIN", "orders", BicepFile.Passwords["kafkaPassword"]),
            (kafka.Brokers, kafka.SecurityProtocol, kafka.SaslMechanism, kafka.SaslUsername, kafka.SaslPassword));
        Assert.Equal(
            ["Kafka__SaslPassword", "POSTGRES_PASSWORD"],
            VariablesOf(app).Where(v => v["secretRef"] is not null).Select(v => (string)v["name"]!).Order(StringComparer.Ordinal));
        var ofVault = SecretsOf(app).Where(s => s["keyVaultUrl"] is not null).ToList();
        Assert.Equal(["kafka-password", "postgres-password"], ofVault.Select(s => (string)s["name"]!).Order());
        Assert.All(ofVault, s => AssertItsIdentityMayRead(bicep, app, (string)s["identity"]!));
        Assert.True(half is "postgres-to-kafka" or "kafka-to-lake");
    }

    [Fact]
    public async Task container_apps_scale_store_as_kubernetes_does()
    {
        var bicep = await BicepFile.OfAsync(Plan);
        var apps = bicep.All(App).ToDictionary(a => (string)a["name"]!);
        var (capture, store) = (ScaleOf(apps["orders-capture"]), ScaleOf(apps["orders-store"]));
        var options = Manifests.Load(EnvironmentOf(bicep, apps["orders-store"]));
        Assert.Equal((2, 2), ((int)capture["minReplicas"]!, (int)capture["maxReplicas"]!));
        Assert.Null(capture["rules"]);
        Assert.Equal((1, options.Kafka.Partitions), ((int)store["minReplicas"]!, (int)store["maxReplicas"]!));
        var rule = Assert.Single(store["rules"]!.AsArray())!["custom"]!;
        var twin = Manifests.One<ScaledObject>("overlays/keda/scaledobject.yaml").Spec;
        var (kafka, manifest) = (rule["metadata"]!, Assert.Single(twin.Triggers).Metadata);
        Assert.Equal(
            ("kafka", options.Kafka.Brokers, options.Kafka.Topic, options.Kafka.EffectiveGroupId),
            ((string)rule["type"]!, (string)kafka["bootstrapServers"]!, (string)kafka["topic"]!, (string)kafka["consumerGroup"]!));
        Assert.Equal(
            (manifest.LagThreshold, manifest.OffsetResetPolicy, manifest.AllowIdleConsumers, twin.CooldownPeriod, twin.PollingInterval),
            ((string)kafka["lagThreshold"]!, (string)kafka["offsetResetPolicy"]!, (string)kafka["allowIdleConsumers"]!,
                (int)store["cooldownPeriod"]!, (int)store["pollingInterval"]!));
        Assert.Equal(("plaintext", "enable"), ((string)kafka["sasl"]!, (string)kafka["tls"]!));
        var login = rule["auth"]!.AsArray().ToDictionary(
            a => (string)a!["triggerParameter"]!, a => ValueOf(bicep, apps["orders-store"], (string)a!["secretRef"]!));
        Assert.Equal(2, login.Count);
        Assert.Equal((options.Kafka.SaslUsername, options.Kafka.SaslPassword), (login["username"], login["password"]));
    }

    private static JsonNode ScaleOf(JsonNode app) => app["properties"]!["template"]!["scale"]!;

    private static IEnumerable<JsonNode> VariablesOf(JsonNode app) =>
        app["properties"]!["template"]!["containers"]![0]!["env"]!.AsArray().Select(v => v!);

    private static IEnumerable<JsonNode> SecretsOf(JsonNode app) =>
        app["properties"]!["configuration"]!["secrets"]!.AsArray().Select(s => s!);

    /// <summary>As the platform hands them over: what the secrets hold in the place of the references to them.</summary>
    private static Dictionary<string, string> EnvironmentOf(BicepFile bicep, JsonNode app) => VariablesOf(app).ToDictionary(
        v => (string)v["name"]!, v => (string?)v["value"] ?? ValueOf(bicep, app, (string)v["secretRef"]!));

    /// <summary>Of a secret of the app: its own, or that of the vault which it leads to.</summary>
    private static string ValueOf(BicepFile bicep, JsonNode app, string secret)
    {
        var found = SecretsOf(app).Single(s => (string)s["name"]! == secret);
        if (found["value"] is { } own) return (string)own!;
        var address = InVault().Match((string)found["keyVaultUrl"]!);
        return bicep.HeldBy($"{address.Groups[2].Value}/{address.Groups[1].Value}");
    }

    private static void AssertAreTaken(Dictionary<string, string> environment) => Assert.All(
        environment.Keys.Where(name => name != "AZURE_CLIENT_ID"), name => Assert.True(Manifests.IsTaken(name, environment), name));

    [GeneratedRegex(
        @"^\[format\('\{0\}/secrets/([\w-]+)', format\('https://\{0\}\{1\}', '([\w-]+)', environment\(\)\.suffixes\.keyvaultDns\)\)\]$")]
    private static partial Regex InVault();
}
