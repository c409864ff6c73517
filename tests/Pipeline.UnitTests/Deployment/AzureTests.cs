using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.Site;
using OrdersStream.UnitTests.Configuration;
using OrdersStream.UnitTests.Stack;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The plans of deploy/azure, compiled without a warning and held against the programs that they start.</summary>
public sealed partial class AzureTests
{
    private const string Site = "Microsoft.Web/sites", App = "Microsoft.App/containerApps", Secret = "Microsoft.KeyVault/vaults/secrets";

    private const string Role = "Microsoft.Authorization/roleAssignments";

    // The platform's own roles: a wrong one lets the deployment through, and the app stands without rights.
    private const string KeyVaultSecretsUser = "4633458b-17de-408a-b874-0445c86b69e6";
    private const string StorageBlobDataOwner = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
    private const string AcrPull = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
    private const string EventHubsDataOwner = "f526a384-b230-433a-b45c-95f59c4a2dec";

    private const string Registry = "/Microsoft.ContainerRegistry/registries/registry";

    // What the parameters' registry is called by those who pull.
    private const string Server = "format('{0}{1}', 'registry', environment().suffixes.acrLoginServer)";

    private static readonly string[] Sites = ["flex", "elastic-premium"];

    public static TheoryData<string> EverySite() => [.. Sites];

    public static TheoryData<string> EveryPlan() => [.. Sites, "container-apps"];

    [Fact]
    public void each_plan_has_its_example_of_parameters() => Assert.Equal(
        EveryPlan().Select(plan => (string)plan.Data).Order(),
        Directory.EnumerateFiles(BicepFile.Folder, "*.bicepparam").Select(f => Path.GetFileNameWithoutExtension(f)).Order());

    [Theory, MemberData(nameof(EveryPlan))]
    public async Task compiler_and_linter_have_nothing_to_say(string plan) => Assert.Equal("", (await BicepFile.OfAsync(plan)).Said.Trim());

    /// <summary>Without deploy/azure/bicepconfig.json, or beside it, that would be a warning.</summary>
    [Fact]
    public async Task what_the_linters_configuration_calls_an_error_is_one() =>
        Assert.Contains(": Error no-unused-params: ", await BicepFile.SaidOfAsync("flex", "param x string = ''"), StringComparison.Ordinal);

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_function_app_takes_its_settings_as_they_are(string plan)
    {
        var settings = await SettingsAsync(plan);
        // As the worker does at start: triggers against the configuration.
        var options = FunctionsConfiguration.Load(
            ConfigurationFile.Repository, Resolved(settings), new KafkaTriggerBuild("sasl_ssl", "PLAIN"));
        Assert.Equal(("demo_orders", 8, "verify-full"), (options.Postgres.Table, options.Kafka.Partitions, options.Postgres.Sslmode));
        Assert.All(settings.Keys, AssertIsTaken);
    }

    /// <summary>As the platform hands it over where the identity has no role yet.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task a_reference_that_was_not_resolved_is_told_as_that(string plan)
    {
        var settings = await SettingsAsync(plan);
        var faults = Assert.Throws<ConfigurationException>(() => FunctionsConfiguration.Load(
            ConfigurationFile.Repository, settings, new KafkaTriggerBuild("sasl_ssl", "PLAIN"))).Message;
        Assert.Contains("POSTGRES_PASSWORD: is a reference to a secret that was not resolved", faults, StringComparison.Ordinal);
        Assert.DoesNotContain("Microsoft.KeyVault", faults, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_status_page_is_for_whom_the_parameters_name(string plan)
    {
        var open = Assert.Single((await BicepFile.OfAsync(plan, "param allowedFrom = ['203.0.113.0/24']")).All(Site))["properties"]!;
        var rule = Assert.Single(open["siteConfig"]!["ipSecurityRestrictions"]!.AsArray())!;
        Assert.Equal(("Deny", "Allow", "203.0.113.0/24"), (
            (string)open["siteConfig"]!["ipSecurityRestrictionsDefaultAction"]!, (string)rule["action"]!, (string)rule["ipAddress"]!));
    }

    /// <summary>Event Hubs below Premium has no transactions; and no plan knows every key.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task other_settings_of_the_program_are_parameters_too(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan, "param settings = { Kafka__Delivery: 'frames', Postgres__User: 'reader' }");
        var options = FunctionsConfiguration.Load(
            ConfigurationFile.Repository, Resolved(BicepFile.SettingsOf(Assert.Single(bicep.All(Site)))),
            new KafkaTriggerBuild("sasl_ssl", "PLAIN"));
        Assert.Equal(("frames", "reader"), (options.Kafka.Delivery, options.Postgres.User));
    }

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_lake_is_mounted_where_everything_is_written_by_a_key_from_the_vault(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var mount = Assert.Single(bicep.All("Microsoft.Web/sites/config"))["properties"]!["lake"]!;
        var settings = BicepFile.SettingsOf(Assert.Single(bicep.All(Site)));
        AssertLiesBelow((string)mount["mountPath"]!, settings);
        AssertIsTheShare(bicep, (string)mount["accountName"]!, (string)mount["shareName"]!);
        var key = AppSetting().Match((string)mount["accessKey"]!).Groups[1].Value;
        Assert.Matches("^@Microsoft.KeyVault", settings[key]);
    }

    /// <summary>None stands in a list of settings: each reference leads to a secret that is made, in a vault that may be read.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task each_password_is_a_secret_that_is_there(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var site = Assert.Single(bicep.All(Site));
        var secrets = bicep.All(Secret).Select(s => (string)s["name"]!).ToList();
        var references = BicepFile.SettingsOf(site).Where(s => IsSecret(s.Key)).ToList();
        Assert.Equal(4, references.Count);
        Assert.All(references, setting =>
        {
            var parts = Reference().Match(setting.Value);
            Assert.Contains($"{parts.Groups[1].Value}/{parts.Groups[2].Value}", secrets);
        });
        AssertItsIdentityMayRead(bicep, site, (string)site["properties"]!["keyVaultReferenceIdentity"]!);
    }

    private const string PostgresByTokens = "param postgresAuth = 'entra'";

    [Theory, MemberData(nameof(EverySite))]
    public async Task by_tokens_the_function_app_has_no_password_of_postgres_and_is_told_its_identity(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan, PostgresByTokens);
        Assert.Equal("", bicep.Said.Trim());
        var site = Assert.Single(bicep.All(Site));
        var settings = BicepFile.SettingsOf(site);
        var options = FunctionsConfiguration.Load(
            ConfigurationFile.Repository, Resolved(settings), new KafkaTriggerBuild("sasl_ssl", "PLAIN"));
        AssertLogsInByToken(bicep, options.Postgres);
        AssertIsTheIdentity(site, settings["AZURE_CLIENT_ID"]);
        Assert.DoesNotContain("POSTGRES_PASSWORD", settings.Keys);
        Assert.All(settings.Keys, AssertIsTaken);
    }

    /// <summary>The Kafka trigger takes no token: the worker says so, and does not come without any login.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task tokens_for_the_brokers_are_refused_by_the_function_app(string plan)
    {
        var bicep = await BicepFile.OfAsync(
            plan, "param brokers = { servers: 'events.servicebus.windows.net:9093', username: '', auth: 'entra' }");
        var settings = Resolved(BicepFile.SettingsOf(Assert.Single(bicep.All(Site))));
        var refused = Assert.Throws<ConfigurationException>(
            () => FunctionsConfiguration.Load(ConfigurationFile.Repository, settings, KafkaTriggerBuild.Default));
        Assert.Contains(refused.Faults, f => f.ToString().Contains("kafka.auth", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task by_tokens_a_container_app_has_no_password_at_all_and_its_identity_owns_the_namespace(string name, string half)
    {
        var bicep = await BicepFile.OfAsync("container-apps", PostgresByTokens,
            "param brokers = { servers: 'events.servicebus.windows.net:9093', username: '', auth: 'entra' }",
            "param eventHubsNamespace = 'events'");
        Assert.Equal("", bicep.Said.Trim());
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var environment = EnvironmentOf(app);
        var options = Load(environment);
        AssertLogsInByToken(bicep, options.Postgres);
        Assert.Equal((true, "sasl_ssl"), (options.Kafka.UsesTokens, options.Kafka.SecurityProtocol));
        AssertIsTheIdentity(app, environment["AZURE_CLIENT_ID"]);
        Assert.All(environment.Keys, AssertIsTaken);
        Assert.All(VariablesOf(app), v => Assert.Null(v["secretRef"]));
        Assert.Empty(app["properties"]!["configuration"]!["secrets"]!.AsArray());
        var rules = half == "kafka-to-lake" ? ScaleOf(app)["rules"]!.AsArray().Select(r => (string)r!["custom"]!["type"]!) : ["cpu"];
        Assert.Equal(["cpu"], rules);
        AssertIsGiven(bicep, app, EventHubsDataOwner, "/Microsoft.EventHub/namespaces/events");
    }

    private static void AssertLogsInByToken(BicepFile bicep, PostgresOptions postgres) => Assert.Equal(
        (true, null, "verify-full", (string)Assert.Single(bicep.All("Microsoft.ManagedIdentity/userAssignedIdentities"))["name"]!),
        (postgres.UsesTokens, postgres.Password, postgres.Sslmode, postgres.User));

    private static void AssertIsTheIdentity(JsonNode app, string clientId)
    {
        Assert.Contains(IdentityOf(app), clientId);
        Assert.Contains("clientId", clientId);
    }

    [Fact]
    public async Task on_flex_consumption_one_instance_has_the_timer_and_the_runtime_is_the_one_that_is_built_for()
    {
        var site = Assert.Single((await BicepFile.OfAsync("flex")).All(Site));
        var app = site["properties"]!["functionAppConfig"]!;
        var ready = Assert.Single(app["scaleAndConcurrency"]!["alwaysReady"]!.AsArray())!;
        var function = ComposeFile.RepositoryFile("FunctionApp", "PostgresToKafkaFunction.cs");
        Assert.Equal(("function:PostgresToKafka", 1), ((string)ready["name"]!, (int)ready["instanceCount"]!));
        Assert.Contains("[Function(\"PostgresToKafka\")]", function);
        var framework = Framework().Match(ComposeFile.RepositoryFile("Directory.Build.props")).Groups[1].Value;
        Assert.Equal(("dotnet-isolated", framework), ((string)app["runtime"]!["name"]!, (string)app["runtime"]!["version"]!));
        // What the plan sets by itself, it refuses among the settings.
        Assert.DoesNotContain(BicepFile.SettingsOf(site).Keys, name =>
            name.StartsWith("FUNCTIONS_", StringComparison.Ordinal) || name.StartsWith("WEBSITE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task on_elastic_premium_as_many_instances_as_partitions_run_the_image()
    {
        var bicep = await BicepFile.OfAsync("elastic-premium");
        var site = Assert.Single(bicep.All(Site));
        var (config, settings) = (site["properties"]!["siteConfig"]!, BicepFile.SettingsOf(site));
        var partitions = int.Parse(settings["Kafka__Partitions"], CultureInfo.InvariantCulture);
        var plan = Assert.Single(bicep.All("Microsoft.Web/serverfarms"))["properties"]!;
        Assert.Equal(
            (partitions, partitions, 1, true),
            ((int)config["functionAppScaleLimit"]!, (int)plan["maximumElasticWorkerCount"]!, (int)config["minimumElasticInstanceCount"]!,
                (bool)config["functionsRuntimeScaleMonitoringEnabled"]!));
        Assert.Equal(StatusSite.Live, (string)config["healthCheckPath"]!);
        var dockerfile = ComposeFile.RepositoryFile("FunctionApp", "Dockerfile");
        Assert.Contains($"EXPOSE {settings["WEBSITES_PORT"]}\n", dockerfile);
        foreach (var name in (string[])["FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsSecretStorageType", "AzureWebJobsDisableHomepage"])
            Assert.Contains($"{name}={settings[name]} ", dockerfile);
    }

    /// <summary>The host keeps its locks in the account, and on Flex Consumption the platform finds the program there.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task the_hosts_account_is_the_identitys_own(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var (site, account) = (Assert.Single(bicep.All(Site)), Assert.Single(bicep.All("Microsoft.Storage/storageAccounts")));
        var settings = BicepFile.SettingsOf(site);
        Assert.Equal((string)account["name"]!, settings[$"{FunctionsSettings.Storage}__accountName"]);
        AssertIsTheIdentity(site, settings[$"{FunctionsSettings.Storage}__clientId"]);
        AssertIsGiven(bicep, site, StorageBlobDataOwner, (string)account["id"]!);
    }

    [Fact]
    public async Task on_flex_consumption_the_program_is_brought_into_a_container_that_is_made()
    {
        var bicep = await BicepFile.OfAsync("flex");
        var site = Assert.Single(bicep.All(Site));
        var storage = site["properties"]!["functionAppConfig"]!["deployment"]!["storage"]!;
        var address = Container().Match((string)storage["value"]!);
        Assert.Contains(
            $"{address.Groups[2].Value}/default/{address.Groups[1].Value}",
            bicep.All("Microsoft.Storage/storageAccounts/blobServices/containers").Select(c => (string)c["name"]!));
        Assert.Equal(("blobContainer", "UserAssignedIdentity", IdentityOf(site)), (
            (string)storage["type"]!, (string)storage["authentication"]!["type"]!,
            (string)storage["authentication"]!["userAssignedIdentityResourceId"]!));
    }

    [Fact]
    public async Task on_elastic_premium_the_image_is_pulled_by_the_identity_from_the_registry_where_it_may()
    {
        var bicep = await BicepFile.OfAsync("elastic-premium");
        var site = Assert.Single(bicep.All(Site));
        var config = site["properties"]!["siteConfig"]!;
        Assert.Equal($"[format('DOCKER|{{0}}/{{1}}', {Server}, 'orders-stream-functions:1')]", (string)config["linuxFxVersion"]!);
        Assert.True((bool)config["acrUseManagedIdentityCreds"]!);
        AssertIsTheIdentity(site, (string)config["acrUserManagedIdentityID"]!);
        AssertIsGiven(bicep, site, AcrPull, Registry);
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_apps_image_is_pulled_by_the_identity_from_the_registry_where_it_may(string name, string half)
    {
        var bicep = await BicepFile.OfAsync("container-apps");
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var container = Assert.Single(app["properties"]!["template"]!["containers"]!.AsArray())!;
        Assert.Equal($"[format('{{0}}/{{1}}', {Server}, 'orders-stream:1')]", (string)container["image"]!);
        var registry = Assert.Single(app["properties"]!["configuration"]!["registries"]!.AsArray())!;
        Assert.Equal(($"[{Server}]", IdentityOf(app)), ((string)registry["server"]!, (string)registry["identity"]!));
        AssertIsGiven(bicep, app, AcrPull, Registry);
        Assert.True(half is "postgres-to-kafka" or "kafka-to-lake");
    }

    public static TheoryData<string, string> Halves() =>
        new() { { "orders-capture", "postgres-to-kafka" }, { "orders-store", "kafka-to-lake" } };

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_app_is_one_half_of_the_program_its_probes_and_its_lake(string name, string half)
    {
        var bicep = await BicepFile.OfAsync("container-apps");
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
        AssertLiesBelow((string)mount["mountPath"]!, EnvironmentOf(app));
        Assert.Contains($"uid={ImageTests.User.Replace(":", ",gid=", StringComparison.Ordinal)},", (string)volume["mountOptions"]!);
        var storage = Assert.Single(bicep.All("Microsoft.App/managedEnvironments/storages"));
        Assert.EndsWith("/" + (string)volume["storageName"]!, (string)storage["name"]!);
        var share = storage["properties"]!["azureFile"]!;
        AssertIsTheShare(bicep, (string)share["accountName"]!, (string)share["shareName"]!);
    }

    [Theory, MemberData(nameof(Halves))]
    public async Task a_container_app_takes_its_settings_and_its_passwords_are_secrets(string name, string half)
    {
        var bicep = await BicepFile.OfAsync("container-apps");
        var app = bicep.All(App).Single(a => (string)a["name"]! == name);
        var environment = EnvironmentOf(app);
        Assert.All(environment.Keys, AssertIsTaken);
        var options = Load(environment);
        Assert.Equal("demo_orders", options.Postgres.Table);
        Assert.Equal(("sasl_ssl", "PLAIN"), (options.Kafka.SecurityProtocol, options.Kafka.SaslMechanism));
        var secrets = app["properties"]!["configuration"]!["secrets"]!.AsArray().ToDictionary(s => (string)s!["name"]!, s => s!);
        foreach (var variable in VariablesOf(app).Where(v => IsSecret((string)v["name"]!)))
        {
            var secret = secrets[(string)variable["secretRef"]!];
            Assert.Null(secret["value"]);
            Assert.Contains((string)secret["name"]!, bicep.All(Secret).Select(s => ((string)s["name"]!).Split('/')[1]));
            AssertItsIdentityMayRead(bicep, app, (string)secret["identity"]!);
        }
        Assert.Equal(2, VariablesOf(app).Count(v => v["secretRef"] is not null));
        Assert.True(half is "postgres-to-kafka" or "kafka-to-lake");
    }

    [Fact]
    public async Task container_apps_scale_store_as_kubernetes_does()
    {
        var apps = (await BicepFile.OfAsync("container-apps")).All(App).ToDictionary(a => (string)a["name"]!);
        var (capture, store) = (ScaleOf(apps["orders-capture"]), ScaleOf(apps["orders-store"]));
        var options = Load(EnvironmentOf(apps["orders-store"]));
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
        Assert.Equal(["password", "username"], rule["auth"]!.AsArray().Select(a => (string)a!["triggerParameter"]!).Order());
    }

    private static JsonNode ScaleOf(JsonNode app) => app["properties"]!["template"]!["scale"]!;

    private static IEnumerable<JsonNode> VariablesOf(JsonNode app) =>
        app["properties"]!["template"]!["containers"]![0]!["env"]!.AsArray().Select(v => v!);

    private static Dictionary<string, string> EnvironmentOf(JsonNode app) =>
        VariablesOf(app).ToDictionary(v => (string)v["name"]!, v => (string?)v["value"] ?? "secret");

    private static async Task<Dictionary<string, string>> SettingsAsync(string plan) =>
        BicepFile.SettingsOf(Assert.Single((await BicepFile.OfAsync(plan)).All(Site)));

    private static PipelineOptions Load(Dictionary<string, string> environment) => ConfigurationLoader.Load(
        Path.Combine(ConfigurationFile.Repository, "configs", "orders_stream.yml"), [], environment, null);

    private static bool IsSecret(string name) =>
        name.EndsWith("Password", StringComparison.OrdinalIgnoreCase) || name.EndsWith("_KEY", StringComparison.Ordinal);

    /// <summary>As the platform hands them over.</summary>
    private static Dictionary<string, string> Resolved(IReadOnlyDictionary<string, string> settings) => settings.ToDictionary(
        s => s.Key, s => s.Value.StartsWith("@Microsoft.KeyVault(", StringComparison.Ordinal) ? "a secret" : s.Value);

    /// <summary>A key of the configuration, a reference of the shipped one, or what a trigger, the host or the platform takes.</summary>
    private static void AssertIsTaken(string name)
    {
        string[] platform =
        [
            "LAKE_KEY", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "WEBSITES_PORT", "WEBSITES_ENABLE_APP_SERVICE_STORAGE",
            "AzureWebJobsDisableHomepage", "AzureWebJobsSecretStorageType", "AZURE_CLIENT_ID",
            .. new ComposeFile().Environment("functions").Keys.Where(k => k.StartsWith("DOTNET_", StringComparison.Ordinal)),
            .. ((string[])["accountName", "credential", "clientId"]).Select(k => $"{FunctionsSettings.Storage}__{k}"),
        ];
        string[] triggers =
        [
            FunctionsSettings.Brokers, FunctionsSettings.Topic, FunctionsSettings.Group, FunctionsSettings.Schedule,
            FunctionsSettings.SaslUsername, FunctionsSettings.SaslPassword,
        ];
        Assert.True(Manifests.IsSetting(name) || triggers.Contains(name) || platform.Contains(name), $"nobody takes {name}");
    }

    private static void AssertLiesBelow(string mount, Dictionary<string, string> environment)
    {
        var options = Load(environment.Where(e => Manifests.IsSetting(e.Key)).ToDictionary());
        var (lake, state) = (options.Datalake, options.Streaming);
        Assert.All(
            [lake.Path, state.CheckpointLocation, state.LastProcessedTimestampLocation], path => Assert.StartsWith(mount + "/", path));
    }

    private static void AssertIsTheShare(BicepFile bicep, string account, string share) => Assert.Equal(
        $"{account}/default/{share}", (string)Assert.Single(bicep.All("Microsoft.Storage/storageAccounts/fileServices/shares"))["name"]!);

    private static string IdentityOf(JsonNode app) => Assert.Single(app["identity"]!["userAssignedIdentities"]!.AsObject()).Key;

    /// <summary>It is the one that the app has, and the vault's role is given to it.</summary>
    private static void AssertItsIdentityMayRead(BicepFile bicep, JsonNode app, string identity)
    {
        Assert.Equal(identity, IdentityOf(app));
        Assert.Contains(identity, bicep.All("Microsoft.ManagedIdentity/userAssignedIdentities").Select(i => (string)i["id"]!));
        AssertIsGiven(bicep, app, KeyVaultSecretsUser, (string)Assert.Single(bicep.All("Microsoft.KeyVault/vaults"))["id"]!);
    }

    /// <summary>The role, and no other one there, to the app's identity.</summary>
    private static void AssertIsGiven(BicepFile bicep, JsonNode app, string role, string resource)
    {
        var given = Assert.Single(bicep.All(Role), r => ((string)r["id"]!).Contains($"{resource}/providers/{Role}/"))["properties"]!;
        Assert.EndsWith($"/Microsoft.Authorization/roleDefinitions/{role}", (string)given["roleDefinitionId"]!);
        Assert.StartsWith($"[reference('{IdentityOf(app)}',", (string)given["principalId"]!);
        Assert.EndsWith(".principalId]", (string)given["principalId"]!);
    }

    [GeneratedRegex(@"^@AppSettingRef\((\w+)\)$")]
    private static partial Regex AppSetting();

    [GeneratedRegex(@"^@Microsoft\.KeyVault\(VaultName=([\w-]+);SecretName=([\w-]+)\)$")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^\[format\('https://\{0\}\.blob\.\{1\}/([\w-]+)', '(\w+)', environment\(\)\.suffixes\.storage\)\]$")]
    private static partial Regex Container();

    [GeneratedRegex("<TargetFramework>net([0-9.]+)<")]
    private static partial Regex Framework();
}
