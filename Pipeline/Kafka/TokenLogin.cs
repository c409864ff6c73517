using Confluent.Kafka;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Identity;

namespace OrdersStream.Kafka;

/// <summary>
/// Clients that log in by a token (OAUTHBEARER), where <c>kafka.auth</c> says so. A client asks for one when it is made, and again long
/// before it ends: 10 seconds after it got none.
/// </summary>
internal static class TokenLogin
{
    /// <summary>What the client's own thread, or who consumes, waits for one. What comes later is there at the next try.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The client wants a name beside the token; servers go by what is in the token.</summary>
    private const string Principal = "orders-stream";

    public static ProducerBuilder<TKey, TValue> WithTokens<TKey, TValue>(
        this ProducerBuilder<TKey, TValue> builder, KafkaOptions options, ClientErrors errors) =>
        options.UsesTokens ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => Give(client, options, errors)) : builder;

    public static ConsumerBuilder<TKey, TValue> WithTokens<TKey, TValue>(
        this ConsumerBuilder<TKey, TValue> builder, KafkaOptions options, ClientErrors errors) =>
        options.UsesTokens ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => Give(client, options, errors)) : builder;

    public static AdminClientBuilder WithTokens(this AdminClientBuilder builder, KafkaOptions options, ClientErrors errors) =>
        options.UsesTokens ? builder.SetOAuthBearerTokenRefreshHandler((client, _) => Give(client, options, errors)) : builder;

    /// <summary>A consumer asks only while somebody consumes: one that is asked something else before is given its first.</summary>
    public static void GiveFirst(IClient client, KafkaOptions options, ClientErrors errors)
    {
        if (options.UsesTokens) Give(client, options, errors);
    }

    private static void Give(IClient client, KafkaOptions options, ClientErrors errors)
    {
        try
        {
            // Asked for on: the client is not to wait for an issuer, nor an issuer's answer to be lost.
            var token = EntraTokens.OfProcess.GetAsync(EntraTokens.ScopeOfEventHubs(options.Brokers), CancellationToken.None)
                .WaitAsync(Patience).GetAwaiter().GetResult();
            client.OAuthBearerSetToken(token.Value, token.ExpiresOn.ToUnixTimeMilliseconds(), Principal);
            errors.OnToken(null);
        }
        catch (Exception e)
        {
            // What is thrown here would come out of another call, whose failure it is not.
            var failure = FailurePolicy.Judge(e);
            errors.OnToken(failure);
            client.OAuthBearerSetTokenFailure(failure.Problem);
        }
    }
}
