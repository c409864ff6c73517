using Azure.Core;
using Azure.Identity;
using OrdersStream.Diagnostics;
using OrdersStream.Identity;

namespace OrdersStream.UnitTests.Identity;

public sealed class EntraTokensTests
{
    private const string Scope = "https://orders.servicebus.windows.net/.default", Word = "eyJ0b2tlbg";

    private readonly TestTime time = new();
    private readonly Credential credential = new();
    private readonly EntraTokens tokens;

    public EntraTokensTests() => tokens = new EntraTokens(credential, time);

    [Fact]
    public async Task a_token_is_asked_for_by_its_scope_and_known_with_its_end()
    {
        credential.Answer = () => new AccessToken(Word, time.GetUtcNow().AddHours(1));
        var token = await tokens.GetAsync(Scope, TestContext.Current.CancellationToken);
        Assert.Equal((Word, time.GetUtcNow().AddHours(1)), (token.Value, token.ExpiresOn));
        Assert.Equal([Scope], credential.Asked);
        Assert.DoesNotContain(Word, token.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("orders.postgres.database.azure.com", "https://ossrdbms-aad.database.windows.net/.default")]
    [InlineData("orders.postgres.database.usgovcloudapi.net", "https://ossrdbms-aad.database.usgovcloudapi.net/.default")]
    [InlineData("orders.postgres.database.chinacloudapi.cn", "https://ossrdbms-aad.database.chinacloudapi.cn/.default")]
    [InlineData("db.internal", "https://ossrdbms-aad.database.windows.net/.default")]
    public void a_token_for_postgres_is_that_of_its_cloud(string host, string scope) =>
        Assert.Equal(scope, EntraTokens.ScopeOfPostgres(host));

    [Fact]
    public void a_token_for_event_hubs_is_that_of_the_namespace() =>
        Assert.Equal(Scope, EntraTokens.ScopeOfEventHubs("orders.servicebus.windows.net:9093"));

    public static TheoryData<Exception, string> Failures() => new()
    {
        { new CredentialUnavailableException($"none of these: {Word}"), "(no identity was found)" },
        { new OperationCanceledException(), "(no answer within 30 s)" },
        { new AuthenticationFailedException($"AADSTS7000215: invalid, {Word}"), "(AuthenticationFailedException, AADSTS7000215)" },
        {
            new AuthenticationFailedException(
                Word, new Microsoft.Identity.Client.MsalServiceException("invalid_client", Word, 401)),
            "(AuthenticationFailedException, MsalServiceException, status 401, invalid_client)"
        },
        { new InvalidOperationException(Word), "(InvalidOperationException)" },
    };

    /// <summary>The package quotes what was answered.</summary>
    [Theory, MemberData(nameof(Failures))]
    public async Task a_failure_says_why_in_codes_and_holds_nothing_that_an_issuer_said(Exception failure, string why)
    {
        credential.Answer = () => throw failure;
        var told = await Assert.ThrowsAsync<PipelineException>(() => tokens.GetAsync(Scope, TestContext.Current.CancellationToken));
        Assert.Equal((FailureAction.Retry, $"Entra ID gave no token for {Scope} {why}."), (told.Action, told.Problem));
        Assert.DoesNotContain(Word, told.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_stop_is_no_failure()
    {
        using var stop = new CancellationTokenSource();
        credential.Answer = () =>
        {
            stop.Cancel();
            throw new OperationCanceledException(stop.Token);
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => tokens.GetAsync(Scope, stop.Token));
    }

    [Fact]
    public async Task where_no_new_one_can_be_had_the_last_one_serves_for_as_long_as_it_holds()
    {
        credential.Answer = () => new AccessToken(Word, time.GetUtcNow().AddMinutes(4));
        var first = await tokens.GetAsync(Scope, TestContext.Current.CancellationToken);
        credential.Answer = () => throw new AuthenticationFailedException("away");
        time.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(first, await tokens.GetAsync(Scope, TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<PipelineException>(
            () => tokens.GetAsync("https://another/.default", TestContext.Current.CancellationToken));
        time.Advance(TimeSpan.FromSeconds(31));
        await Assert.ThrowsAsync<PipelineException>(() => tokens.GetAsync(Scope, TestContext.Current.CancellationToken));
    }

    private sealed class Credential : TokenCredential
    {
        public Func<AccessToken> Answer { get; set; } = () => default;

        public List<string> Asked { get; } = [];

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
        {
            Asked.AddRange(requestContext.Scopes);
            return Answer();
        }

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(GetToken(requestContext, cancellationToken));
    }
}
