using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>As the platform asks for a page.</summary>
internal sealed class PageRequest(string method, string path) : HttpRequestData(new RequestContext())
{
    public override Stream Body => Stream.Null;
    public override HttpHeadersCollection Headers { get; } = [];
    public override IReadOnlyCollection<IHttpCookie> Cookies => [];
    public override Uri Url => new("http://localhost:8080" + path);
    public override IEnumerable<ClaimsIdentity> Identities => [];
    public override string Method => method;
    public override HttpResponseData CreateResponse() => new PageAnswer(FunctionContext);
}

/// <summary>What it is answered.</summary>
internal sealed class PageAnswer(FunctionContext context) : HttpResponseData(context)
{
    public override HttpStatusCode StatusCode { get; set; }
    public override HttpHeadersCollection Headers { get; set; } = [];
    public override Stream Body { get; set; } = new MemoryStream();
    public override HttpCookies Cookies => throw new NotSupportedException("the page sets no cookie");
    public string Text => Encoding.UTF8.GetString(((MemoryStream)Body).ToArray());
    public string Header(string name) => Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";
}

/// <summary>Of a request, no more than its context is asked for.</summary>
file sealed class RequestContext : FunctionContext
{
    public override string InvocationId => "1";
    public override string FunctionId => throw Unasked();
    public override TraceContext TraceContext => throw Unasked();
    public override BindingContext BindingContext => throw Unasked();
    public override RetryContext RetryContext => throw Unasked();
    public override IServiceProvider InstanceServices { get => throw Unasked(); set => throw Unasked(); }
    public override FunctionDefinition FunctionDefinition => throw Unasked();
    public override IDictionary<object, object> Items { get => throw Unasked(); set => throw Unasked(); }
    public override IInvocationFeatures Features => throw Unasked();

    private static NotSupportedException Unasked([CallerMemberName] string name = "") => new(name);
}
