using System.Net;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;
using OrdersStream.Hosting.Functions;
using OrdersStream.Site;

namespace OrdersStream.FunctionApp;

/// <summary>The status page, <c>/api/status</c> and <c>/metrics</c>: the site's answers, copied over. It only reads.</summary>
public sealed class StatusFunction(StatusSite site, Watchdog watchdog)
{
    [Function("Status")]
    public async Task<HttpResponseData> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = "{*path}")] HttpRequestData request,
        CancellationToken cancellationToken)
    {
        watchdog.Heard();
        var answer = await site.AnswerAsync(request.Method.ToUpperInvariant(), request.Url.AbsolutePath, cancellationToken);
        var response = request.CreateResponse((HttpStatusCode)answer.Status);
        response.Headers.TryAddWithoutValidation("Content-Type", answer.ContentType);
        foreach (var (name, value) in answer.Headers) response.Headers.TryAddWithoutValidation(name, value);
        await response.Body.WriteAsync(answer.Body, cancellationToken);
        return response;
    }
}
