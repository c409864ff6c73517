using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Azure.Core;
using Azure.Identity;
using Microsoft.Identity.Client;
using OrdersStream.Diagnostics;

namespace OrdersStream.Identity;

/// <summary>A token and when it ends.</summary>
/// <param name="Value">What proves who shows it: a secret (invariant 9).</param>
/// <param name="ExpiresOn">From then on it is refused.</param>
public readonly record struct IdentityToken(string Value, DateTimeOffset ExpiresOn)
{
    /// <summary>The one that the compiler would make shows the token.</summary>
    public override string ToString() => $"a token until {ExpiresOn:u}";
}

/// <summary>
/// Tokens of Microsoft Entra ID in the place of passwords. The vendor's package finds the identity that the process runs as, keeps a token
/// for as long as it holds, and asks for the next one in time. Only here is it named, and nobody comes here unless a setting auth is entra.
/// </summary>
/// <param name="credential">Who asks.</param>
/// <param name="time">The clock; null: the system's.</param>
public sealed partial class EntraTokens(TokenCredential credential, TimeProvider? time = null)
{
    /// <summary>How long an issuer may take, with the package's own attempts.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>A token that ends sooner may be refused before it has arrived.</summary>
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(30);

    private static readonly string[] OtherClouds = ["usgovcloudapi.net", "chinacloudapi.cn"];

    private static readonly Lazy<EntraTokens> Process = new(() => new EntraTokens(new DefaultAzureCredential(Options())));

    private readonly TimeProvider time = time ?? TimeProvider.System;
    private readonly ConcurrentDictionary<string, IdentityToken> newest = [];

    /// <summary>
    /// Those of the identity that this process runs as: a service principal of the environment, a workload of Kubernetes, a managed
    /// identity, or who is logged in with the Azure CLI, the first that is there.
    /// </summary>
    public static EntraTokens OfProcess => Process.Value;

    /// <summary>What a token for Azure Database for PostgreSQL is asked for, in the cloud that the host is in.</summary>
    public static string ScopeOfPostgres(string host)
    {
        var cloud = OtherClouds.FirstOrDefault(c => host.EndsWith("." + c, StringComparison.OrdinalIgnoreCase)) ?? "windows.net";
        return $"https://ossrdbms-aad.database.{cloud}/.default";
    }

    /// <summary>What a token for a namespace of Event Hubs is asked for.</summary>
    /// <param name="brokers">Its address: host:port.</param>
    public static string ScopeOfEventHubs(string brokers) => $"https://{brokers.Split(',')[0].Trim().Split(':')[0]}/.default";

    /// <summary>
    /// One that holds for half a minute at least. Where none can be had, one that was given earlier serves for as long as it holds.
    /// </summary>
    /// <exception cref="PipelineException">There is none.</exception>
    public async Task<IdentityToken> GetAsync(string scope, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            var given = await credential.GetTokenAsync(new TokenRequestContext([scope]), patience.Token);
            return newest[scope] = new IdentityToken(given.Token, given.ExpiresOn);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (newest.TryGetValue(scope, out var last) && last.ExpiresOn - time.GetUtcNow() > Least) return last;
            throw Failure(scope, e);
        }
    }

    // Those that only a developer's desk has are left out: some wait for somebody to click.
    private static DefaultAzureCredentialOptions Options() => new()
    {
        ExcludeVisualStudioCredential = true,
        ExcludeVisualStudioCodeCredential = true,
        ExcludeAzurePowerShellCredential = true,
        ExcludeAzureDeveloperCliCredential = true,
        ExcludeInteractiveBrowserCredential = true,
    };

    // Without its cause: the package quotes what an issuer answered, and that may hold a token (invariant 9).
    private static PipelineException Failure(string scope, Exception e) => new(new FailureVerdict(FailureAction.Retry,
        $"Entra ID gave no token for {scope} ({Why(e)}).",
        "Check that the process has an identity (a managed one, a workload's, or AZURE_TENANT_ID, AZURE_CLIENT_ID and a secret), that "
        + "AZURE_CLIENT_ID names it where there are several, and that its issuer can be reached.", SeesItself: true)
    {
        Kind = "token of Entra ID",
    });

    private static string Why(Exception e) => e switch
    {
        CredentialUnavailableException => "no identity was found",
        OperationCanceledException => $"no answer within {Patience.TotalSeconds:0} s",
        _ => string.Join(", ", Codes(e).Distinct()),
    };

    private static IEnumerable<string> Codes(Exception? e)
    {
        for (; e is not null; e = e.InnerException)
        {
            yield return e.GetType().Name;
            if (e is MsalServiceException { StatusCode: > 0 } service) yield return $"status {service.StatusCode}";
            if (e is MsalException { ErrorCode: { } code } && Word().IsMatch(code)) yield return code;
            foreach (Match match in Number().Matches(e.Message)) yield return match.Value;
        }
    }

    /// <summary>By which Entra ID's own documents explain a refusal.</summary>
    [GeneratedRegex("AADSTS[0-9]+")]
    private static partial Regex Number();

    [GeneratedRegex("^[a-z_]{1,64}$")]
    private static partial Regex Word();
}
