using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OrdersStream.Configuration;

namespace OrdersStream.UnitTests.Deployment;

/// <summary>What is asked of each plan of deploy/azure, whatever it runs on: identity, roles, secrets, lake.</summary>
internal static partial class AzurePlan
{
    public const string WebSite = "Microsoft.Web/sites", App = "Microsoft.App/containerApps";

    // The platform's own roles: a wrong one lets the deployment through, and the app stands without rights.
    public const string StorageBlobDataOwner = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b";
    public const string AcrPull = "7f951dda-4ed3-4680-a7ca-43fe172d538d";
    public const string EventHubsDataOwner = "f526a384-b230-433a-b45c-95f59c4a2dec";

    public const string Registry = "/Microsoft.ContainerRegistry/registries/registry";

    // What the parameters' registry is called by those who pull.
    public const string Server = "format('{0}{1}', 'registry', environment().suffixes.acrLoginServer)";

    public const string PostgresByTokens = "param postgresAuth = 'entra'";

    private const string KeyVaultSecretsUser = "4633458b-17de-408a-b874-0445c86b69e6";

    private const string Role = "Microsoft.Authorization/roleAssignments", Identity = "Microsoft.ManagedIdentity/userAssignedIdentities";

    public static string IdentityOf(JsonNode app)
    {
        Assert.Equal("UserAssigned", (string)app["identity"]!["type"]!);
        return Assert.Single(app["identity"]!["userAssignedIdentities"]!.AsObject()).Key;
    }

    /// <summary>What a secret of the vault is given: one of <see cref="BicepFile.Passwords"/>, or what the template makes of it.</summary>
    /// <param name="secret">Name of the vault, a stroke, its own name.</param>
    public static string HeldBy(this BicepFile bicep, string secret)
    {
        var found = Assert.Single(bicep.All("Microsoft.KeyVault/vaults/secrets"), s => (string)s["name"]! == secret);
        var value = (string)found["properties"]!["value"]!;
        var parameters = Parameter().Matches(value).Select(m => m.Groups[1].Value).Distinct().ToList();
        return parameters.Count == 0 ? value : BicepFile.Passwords[Assert.Single(parameters)];
    }

    public static void AssertLogsInByToken(BicepFile bicep, PostgresOptions postgres) => Assert.Equal(
        (true, null, "verify-full", (string)Assert.Single(bicep.All(Identity))["name"]!),
        (postgres.UsesTokens, postgres.Password, postgres.Sslmode, postgres.User));

    public static void AssertIsTheIdentity(JsonNode app, string clientId)
    {
        Assert.Contains(IdentityOf(app), clientId);
        Assert.EndsWith(".clientId]", clientId);
    }

    public static void AssertLiesBelow(string mount, PipelineOptions options) => Assert.All(
        [options.Datalake.Path, options.Streaming.CheckpointLocation, options.Streaming.LastProcessedTimestampLocation],
        path => Assert.StartsWith(mount + "/", path));

    public static void AssertIsTheShare(BicepFile bicep, string account, string share)
    {
        var made = Assert.Single(bicep.All("Microsoft.Storage/storageAccounts/fileServices/shares"));
        Assert.Equal($"{account}/default/{share}", (string)made["name"]!);
        // Of another kind it has no files.
        Assert.Equal("StorageV2", (string)Assert.Single(bicep.All("Microsoft.Storage/storageAccounts"))["kind"]!);
    }

    /// <summary>The account's own key.</summary>
    public static void AssertOpensTheAccount(BicepFile bicep, string key)
    {
        var account = (string)Assert.Single(bicep.All("Microsoft.Storage/storageAccounts"))["id"]!;
        Assert.StartsWith($"[listKeys('{account}',", key);
        Assert.EndsWith(").keys[0].value]", key);
    }

    /// <summary>It is the one that the app has, and the vault's role is given to it, in a vault that goes by roles.</summary>
    public static void AssertItsIdentityMayRead(BicepFile bicep, JsonNode app, string identity)
    {
        Assert.Equal(identity, IdentityOf(app));
        Assert.Contains(identity, bicep.All(Identity).Select(i => (string)i["id"]!));
        var vault = Assert.Single(bicep.All("Microsoft.KeyVault/vaults"));
        Assert.True((bool)vault["properties"]!["enableRbacAuthorization"]!);
        AssertIsGiven(bicep, app, KeyVaultSecretsUser, (string)vault["id"]!);
    }

    /// <summary>The role, and no other one there, to the app's identity.</summary>
    public static void AssertIsGiven(BicepFile bicep, JsonNode app, string role, string resource)
    {
        var given = Assert.Single(bicep.All(Role), r => ((string)r["id"]!).Contains($"{resource}/providers/{Role}/"))["properties"]!;
        Assert.EndsWith($"/Microsoft.Authorization/roleDefinitions/{role}", (string)given["roleDefinitionId"]!);
        Assert.StartsWith($"[reference('{IdentityOf(app)}',", (string)given["principalId"]!);
        Assert.EndsWith(".principalId]", (string)given["principalId"]!);
        // Without it the platform looks for an identity that it does not know yet.
        Assert.Equal("ServicePrincipal", (string)given["principalType"]!);
    }

    [GeneratedRegex(@"parameters\('(\w+)'\)")]
    private static partial Regex Parameter();
}
