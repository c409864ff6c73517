using System.Globalization;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;
using OrdersStream.Hosting.Functions;
using OrdersStream.Site;
using OrdersStream.UnitTests.Configuration;
using OrdersStream.UnitTests.Stack;
using static OrdersStream.UnitTests.Deployment.AzurePlan;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>The plans of deploy/azure, compiled without a warning and held against the programs that they start.</summary>
public sealed partial class AzureTests
{
    private static readonly string[] Sites = ["flex", "elastic-premium"];

    public static TheoryData<string> EverySite() => [.. Sites];

    public static TheoryData<string> EveryPlan() => [.. Sites, "container-apps"];

    [Fact]
    public void each_plan_has_its_example_of_parameters() => Assert.Equal(
        EveryPlan().Select(plan => (string)plan.Data).Order(),
        Directory.EnumerateFiles(BicepFile.Folder, "*.bicepparam").Select(f => Path.GetFileNameWithoutExtension(f)).Order());

    [Theory, MemberData(nameof(EveryPlan))]
    public async Task compiler_and_linter_have_nothing_to_say(string plan)
    {
        Assert.Equal("", (await BicepFile.OfAsync(plan)).Said.Trim());
        Assert.Equal("", await BicepFile.SaidOfAsync(plan, ""));
    }

    /// <summary>Without deploy/azure/bicepconfig.json, or beside it, that would be a warning.</summary>
    [Fact]
    public async Task what_the_linters_configuration_calls_an_error_is_one() =>
        Assert.Contains(": Error no-unused-params: ", await BicepFile.SaidOfAsync("flex", "param x string = ''"), StringComparison.Ordinal);

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_function_app_takes_its_settings_as_they_are(string plan)
    {
        var settings = Resolved(await BicepFile.OfAsync(plan));
        var (postgres, kafka) = (Load(settings).Postgres, Load(settings).Kafka);
        Assert.Equal(
            ("demo_orders", "postgres.example.com", BicepFile.Passwords["postgresPassword"], "verify-full"),
            (postgres.Table, postgres.Host, postgres.Password, postgres.Sslmode));
        Assert.Equal(
            (8, "broker.example.com:9093", "orders", BicepFile.Passwords["kafkaPassword"]),
            (kafka.Partitions, kafka.Brokers, kafka.SaslUsername, kafka.SaslPassword));
        AssertAreTaken(settings);
        // What bounds the memory bounds it wherever the app runs.
        var bounds = DockerfileTests.Settings().Keys.Where(k => k.StartsWith("DOTNET_", StringComparison.Ordinal));
        Assert.All(bounds, name => Assert.Contains(name, settings.Keys));
    }

    /// <summary>As the platform hands it over where the identity has no role yet.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task a_reference_that_was_not_resolved_is_told_as_that(string plan)
    {
        var settings = BicepFile.SettingsOf(Assert.Single((await BicepFile.OfAsync(plan)).All(WebSite)));
        var faults = Assert.Throws<ConfigurationException>(() => Load(settings)).Message;
        Assert.Contains("POSTGRES_PASSWORD: is a reference to a secret that was not resolved", faults, StringComparison.Ordinal);
        Assert.DoesNotContain("Microsoft.KeyVault", faults, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_status_page_is_for_whom_the_parameters_name(string plan)
    {
        var open = Assert.Single((await BicepFile.OfAsync(plan, "param allowedFrom = ['203.0.113.0/24']")).All(WebSite))["properties"]!;
        var rule = Assert.Single(open["siteConfig"]!["ipSecurityRestrictions"]!.AsArray())!;
        Assert.Equal(("Deny", "Allow", "203.0.113.0/24"), (
            (string)open["siteConfig"]!["ipSecurityRestrictionsDefaultAction"]!, (string)rule["action"]!, (string)rule["ipAddress"]!));
    }

    /// <summary>Event Hubs below Premium has no transactions; and no plan knows every key.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task other_settings_of_the_program_are_parameters_too(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan, "param settings = { Kafka__Delivery: 'frames', Postgres__User: 'reader' }");
        var options = Load(Resolved(bicep));
        Assert.Equal(("frames", "reader"), (options.Kafka.Delivery, options.Postgres.User));
    }

    [Theory, MemberData(nameof(EverySite))]
    public async Task the_lake_is_mounted_where_everything_is_written_by_a_key_from_the_vault(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var mount = Assert.Single(bicep.All("Microsoft.Web/sites/config"))["properties"]!["lake"]!;
        var settings = Resolved(bicep);
        AssertLiesBelow((string)mount["mountPath"]!, Load(settings));
        Assert.Equal("AzureFiles", (string)mount["type"]!);
        AssertIsTheShare(bicep, (string)mount["accountName"]!, (string)mount["shareName"]!);
        var key = AppSetting().Match((string)mount["accessKey"]!).Groups[1].Value;
        AssertOpensTheAccount(bicep, settings[key]);
    }

    /// <summary>None stands in a list of settings: each is a reference to a vault that may be read.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task each_password_is_a_secret(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var site = Assert.Single(bicep.All(WebSite));
        string[] expected = ["KAFKA_SASL_PASSWORD", "Kafka__SaslPassword", "LAKE_KEY", "POSTGRES_PASSWORD"];
        var references = BicepFile.SettingsOf(site).Where(s => Reference().IsMatch(s.Value)).Select(s => s.Key);
        Assert.Equal(expected, references.Order(StringComparer.Ordinal));
        AssertItsIdentityMayRead(bicep, site, (string)site["properties"]!["keyVaultReferenceIdentity"]!);
    }

    /// <summary>From the variable that the example names to the parameter of the module that makes the secrets.</summary>
    [Theory, MemberData(nameof(EveryPlan))]
    public async Task each_password_comes_from_its_variable(string plan)
    {
        var (given, resources) = await BicepFile.CompiledAsync(plan);
        var handedOn = resources["shared"]!["properties"]!["parameters"]!;
        Assert.All(BicepFile.Passwords, password =>
        {
            Assert.Equal(password.Value, (string)given[password.Key]!["value"]!);
            Assert.Equal($"[parameters('{password.Key}')]", (string)handedOn[password.Key]!["value"]!);
        });
    }

    /// <summary>By its name alone the platform looks for it at once, and a first deployment fails.</summary>
    [Theory, MemberData(nameof(EveryPlan))]
    public async Task what_the_module_makes_is_read_behind_it(string plan)
    {
        var (_, resources) = await BicepFile.CompiledAsync(plan);
        Assert.Equal("Microsoft.Resources/deployments", (string)resources["shared"]!["type"]!);
        var read = resources.Where(r => (bool?)r.Value!["existing"] is true).ToList();
        Assert.Contains("identity", read.Select(r => r.Key));
        Assert.All(read, r => Assert.Equal(["shared"], r.Value!["dependsOn"]?.AsArray().Select(d => (string)d!) ?? []));
    }

    [Theory, MemberData(nameof(EverySite))]
    public async Task by_tokens_the_function_app_has_no_password_of_postgres_and_is_told_its_identity(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan, PostgresByTokens);
        Assert.Equal("", bicep.Said.Trim());
        var site = Assert.Single(bicep.All(WebSite));
        var settings = Resolved(bicep);
        AssertLogsInByToken(bicep, Load(settings).Postgres);
        AssertIsTheIdentity(site, settings["AZURE_CLIENT_ID"]);
        Assert.DoesNotContain("POSTGRES_PASSWORD", settings.Keys);
        AssertAreTaken(settings);
    }

    /// <summary>The Kafka trigger takes no token: the worker says so, and does not come without any login.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task tokens_for_the_brokers_are_refused_by_the_function_app(string plan)
    {
        var bicep = await BicepFile.OfAsync(
            plan, "param brokers = { servers: 'events.servicebus.windows.net:9093', username: '', auth: 'entra' }");
        var settings = Resolved(bicep);
        var refused = Assert.Throws<ConfigurationException>(
            () => FunctionsConfiguration.Load(ConfigurationFile.Repository, settings, KafkaTriggerBuild.Default));
        Assert.Contains(refused.Faults, f => f.ToString().Contains("kafka.auth", StringComparison.Ordinal));
    }

    [Fact]
    public async Task on_flex_consumption_one_instance_has_the_timer_and_the_runtime_is_the_one_that_is_built_for()
    {
        var site = Assert.Single((await BicepFile.OfAsync("flex")).All(WebSite));
        var app = site["properties"]!["functionAppConfig"]!;
        var ready = Assert.Single(app["scaleAndConcurrency"]!["alwaysReady"]!.AsArray())!;
        var function = ComposeFile.RepositoryFile("FunctionApp", "PostgresToKafkaFunction.cs");
        Assert.Equal(("function:PostgresToKafka", 1), ((string)ready["name"]!, (int)ready["instanceCount"]!));
        Assert.Contains("[Function(\"PostgresToKafka\")]", function);
        var framework = Framework().Match(ComposeFile.RepositoryFile("Directory.Build.props")).Groups[1].Value;
        Assert.Equal(("dotnet-isolated", framework), ((string)app["runtime"]!["name"]!, (string)app["runtime"]!["version"]!));
        var plan = Assert.Single((await BicepFile.OfAsync("flex")).All("Microsoft.Web/serverfarms"));
        Assert.Equal(
            ("functionapp", "FlexConsumption", "FC1", "functionapp,linux", (string)plan["id"]!),
            ((string)plan["kind"]!, (string)plan["sku"]!["tier"]!, (string)plan["sku"]!["name"]!, (string)site["kind"]!,
                (string)site["properties"]!["serverFarmId"]!));
        // What the plan sets by itself, it refuses among the settings.
        Assert.DoesNotContain(BicepFile.SettingsOf(site).Keys, name =>
            name.StartsWith("FUNCTIONS_", StringComparison.Ordinal) || name.StartsWith("WEBSITE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task on_elastic_premium_as_many_instances_as_partitions_run_the_image()
    {
        var bicep = await BicepFile.OfAsync("elastic-premium");
        var site = Assert.Single(bicep.All(WebSite));
        var (config, settings) = (site["properties"]!["siteConfig"]!, BicepFile.SettingsOf(site));
        var partitions = int.Parse(settings["Kafka__Partitions"], CultureInfo.InvariantCulture);
        var plan = Assert.Single(bicep.All("Microsoft.Web/serverfarms"));
        Assert.Equal(
            ("elastic", "ElasticPremium", "EP1", "functionapp,linux,container", (string)plan["id"]!),
            ((string)plan["kind"]!, (string)plan["sku"]!["tier"]!, (string)plan["sku"]!["name"]!, (string)site["kind"]!,
                (string)site["properties"]!["serverFarmId"]!));
        Assert.Equal(
            (partitions, partitions, 1, true),
            ((int)config["functionAppScaleLimit"]!, (int)plan["properties"]!["maximumElasticWorkerCount"]!,
                (int)config["minimumElasticInstanceCount"]!, (bool)config["functionsRuntimeScaleMonitoringEnabled"]!));
        Assert.Equal(StatusSite.Live, (string)config["healthCheckPath"]!);
        var dockerfile = ComposeFile.RepositoryFile("FunctionApp", "Dockerfile");
        Assert.Contains($"EXPOSE {settings["WEBSITES_PORT"]}\n", dockerfile);
    }

    /// <summary>The host keeps its locks in the account, and on Flex Consumption the platform finds the program there.</summary>
    [Theory, MemberData(nameof(EverySite))]
    public async Task the_hosts_account_is_the_identitys_own(string plan)
    {
        var bicep = await BicepFile.OfAsync(plan);
        var (site, account) = (Assert.Single(bicep.All(WebSite)), Assert.Single(bicep.All("Microsoft.Storage/storageAccounts")));
        var settings = BicepFile.SettingsOf(site);
        Assert.Equal((string)account["name"]!, settings[$"{FunctionsSettings.Storage}__accountName"]);
        AssertIsTheIdentity(site, settings[$"{FunctionsSettings.Storage}__clientId"]);
        AssertIsGiven(bicep, site, StorageBlobDataOwner, (string)account["id"]!);
    }

    [Fact]
    public async Task on_flex_consumption_the_program_is_brought_into_a_container_that_is_made()
    {
        var bicep = await BicepFile.OfAsync("flex");
        var site = Assert.Single(bicep.All(WebSite));
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
        var site = Assert.Single(bicep.All(WebSite));
        var config = site["properties"]!["siteConfig"]!;
        Assert.Equal($"[format('DOCKER|{{0}}/{{1}}', {Server}, 'orders-stream-functions:1')]", (string)config["linuxFxVersion"]!);
        Assert.True((bool)config["acrUseManagedIdentityCreds"]!);
        AssertIsTheIdentity(site, (string)config["acrUserManagedIdentityID"]!);
        AssertIsGiven(bicep, site, AcrPull, Registry);
    }

    /// <summary>As the worker reads them at start: triggers against the configuration.</summary>
    private static PipelineOptions Load(IReadOnlyDictionary<string, string> settings) =>
        FunctionsConfiguration.Load(ConfigurationFile.Repository, settings.ToDictionary(), new KafkaTriggerBuild("sasl_ssl", "PLAIN"));

    /// <summary>As the platform hands them over: what the secrets hold in the place of the references to them.</summary>
    private static Dictionary<string, string> Resolved(BicepFile bicep) =>
        BicepFile.SettingsOf(Assert.Single(bicep.All(WebSite))).ToDictionary(
            s => s.Key,
            s => Reference().Match(s.Value) is { Success: true } to ? bicep.HeldBy($"{to.Groups[1].Value}/{to.Groups[2].Value}") : s.Value);

    /// <summary>By the program, or by a trigger; or the host or the platform does, as it takes it from the image too.</summary>
    private static void AssertAreTaken(Dictionary<string, string> settings)
    {
        Dictionary<string, string> others = new(DockerfileTests.Settings())
        {
            ["FUNCTIONS_EXTENSION_VERSION"] = "~4",
            ["WEBSITES_PORT"] = "8080",
            // The lake is mounted by itself, and nothing else stays.
            ["WEBSITES_ENABLE_APP_SERVICE_STORAGE"] = "false",
            [$"{FunctionsSettings.Storage}__credential"] = "managedidentity",
        };
        // Each of these has its test.
        string[] named =
            ["LAKE_KEY", "AZURE_CLIENT_ID", $"{FunctionsSettings.Storage}__accountName", $"{FunctionsSettings.Storage}__clientId"];
        foreach (var (name, value) in settings.Where(s => !named.Contains(s.Key) && !Manifests.IsTaken(s.Key, settings, Load)))
        {
            Assert.True(others.ContainsKey(name), $"nobody takes {name}");
            Assert.Equal((name, others[name]), (name, value));
        }
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
