using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace OrdersStream.TestKit.Servers;

/// <summary>A token that was asked for.</summary>
/// <param name="Resource">For what.</param>
/// <param name="ClientId">By which of several identities; null: the only one.</param>
/// <param name="Token">It; null: it was refused.</param>
public sealed record IssuedToken(string Resource, string? ClientId, string? Token);

/// <summary>
/// Stands for what gives tokens to a managed identity: the endpoint that App Service and Container Apps put into an app's environment. Each
/// token is another one, and is what a broker takes that asks for no signature.
/// </summary>
public sealed class TokenIssuer : IDisposable
{
    /// <summary>Who asks must know it, and nobody may tell it.</summary>
    private const string Secret = "identity-header-word";

    private HttpListener listener = new();
    private readonly string endpoint;
    private readonly ConcurrentQueue<IssuedToken> issued = [];
    private readonly ConcurrentDictionary<string, string> prepared = [];
    private int count;

    public TokenIssuer()
    {
        endpoint = Listen();
        _ = Task.Run(ServeAsync);
    }

    /// <summary>All that were asked for, the newest last.</summary>
    public IReadOnlyCollection<IssuedToken> Issued => issued;

    /// <summary>What must not be found anywhere.</summary>
    public IEnumerable<string> Secrets => issued.Select(i => i.Token).OfType<string>().Append(Secret);

    /// <summary>How long a token holds. One with less than five minutes left is asked for anew whenever somebody needs one.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>None is given any more.</summary>
    public bool Refuses { get; set; }

    /// <summary>What a token itself says is that it has ended, whatever its issuer says.</summary>
    public bool IsOutdated { get; set; }

    /// <summary>
    /// From now on one and the same token is given for this, whoever asks: for a server that has to know it. Postgres looks up a role's
    /// password before the client is asked for it.
    /// </summary>
    /// <returns>The token.</returns>
    public string Prepare(string resource)
    {
        var now = TimeProvider.System.GetUtcNow();
        return prepared[resource] = NewToken(now, now.AddDays(1));
    }

    /// <summary>Makes it the one that a program asks.</summary>
    /// <param name="start">The program.</param>
    /// <param name="clientId">Of the identity that it runs as, where there are several.</param>
    public void GiveTo(ProcessStartInfo start, string? clientId = null)
    {
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("AZURE_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["IDENTITY_ENDPOINT"] = endpoint;
        start.Environment["IDENTITY_HEADER"] = Secret;
        if (clientId is not null) start.Environment["AZURE_CLIENT_ID"] = clientId;
    }

    public void Dispose() => listener.Close();

    private string Listen()
    {
        while (true)
        {
            var address = $"http://127.0.0.1:{Random.Shared.Next(10_000, 30_000)}/";
            try
            {
                // One that failed is closed.
                listener = new();
                listener.Prefixes.Add(address);
                listener.Start();
                return address + "msi/token";
            }
            catch (Exception e) when (e is HttpListenerException or SocketException)
            {
                // Taken.
            }
        }
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            try
            {
                await AnswerAsync(await listener.GetContextAsync());
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or IOException)
            {
                if (!listener.IsListening) return;
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        var (resource, clientId) = (context.Request.QueryString["resource"] ?? "", context.Request.QueryString["client_id"]);
        var isKnown = context.Request.Headers["X-IDENTITY-HEADER"] == Secret;
        if (Refuses || !isKnown)
        {
            issued.Enqueue(new IssuedToken(resource, clientId, null));
            await WriteAsync(context.Response, 400, new()
            {
                ["error"] = "invalid_request", ["error_description"] = $"AADSTS700016: no such application ({Secret})",
            });
            return;
        }
        var now = TimeProvider.System.GetUtcNow();
        var token = prepared.TryGetValue(resource, out var known) ? known
            : IsOutdated ? NewToken(now - TimeSpan.FromDays(1), now - Lifetime) : NewToken(now, now + Lifetime);
        issued.Enqueue(new IssuedToken(resource, clientId, token));
        await WriteAsync(context.Response, 200, new()
        {
            ["access_token"] = token, ["expires_on"] = (now + Lifetime).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["resource"] = resource, ["token_type"] = "Bearer", ["client_id"] = clientId ?? "",
        });
    }

    private string NewToken(DateTimeOffset from, DateTimeOffset to)
    {
        var (begins, ends, id) = (from.ToUnixTimeSeconds(), to.ToUnixTimeSeconds(), Interlocked.Increment(ref count));
        var claims = string.Create(
            CultureInfo.InvariantCulture, $$"""{"sub":"orders-stream","iat":{{begins}},"exp":{{ends}},"jti":"{{id}}"}""");
        return Part("""{"alg":"none"}""") + "." + Part(claims) + ".";
    }

    private static string Part(string json) =>
        Convert.ToBase64String(Encoding.UTF8.GetBytes(json)).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static async Task WriteAsync(HttpListenerResponse response, int status, Dictionary<string, string> body)
    {
        response.StatusCode = status;
        response.ContentType = "application/json";
        await response.OutputStream.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(body));
        response.Close();
    }
}
