using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace OrdersStream.Site.Server;

/// <summary>
/// Copies the site's answers to HTTP. A server on the loopback address answers only to names of this machine: a website from
/// elsewhere, whose name was made to lead here, is refused.
/// </summary>
internal sealed class StatusRequests(StatusSite site, bool isLoopback) : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
        // Nothing is kept from one request to the next.
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        if (isLoopback && !IsOfThisMachine(context.Request.Host.Host))
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            context.Response.ContentType = "text/plain; charset=utf-8";
            const string refusal = "This page is served to this machine only, by the address that was printed.\n";
            await context.Response.WriteAsync(refusal, context.RequestAborted);
            return;
        }
        try
        {
            var (request, path) = (context.Request, context.Request.Path.Value ?? "/");
            await WriteAsync(context, await site.AnswerAsync(request.Method, path, context.RequestAborted));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Whoever asked has gone.
        }
    }

    internal static bool IsOfThisMachine(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host.Trim('[', ']'), out _);

    private static async Task WriteAsync(HttpContext context, StatusAnswer answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        foreach (var (name, value) in answer.Headers) response.Headers[name] = value;
        if (HttpMethods.IsHead(context.Request.Method)) return;
        response.ContentLength = answer.Body.Length;
        await response.Body.WriteAsync(answer.Body, context.RequestAborted);
    }
}
