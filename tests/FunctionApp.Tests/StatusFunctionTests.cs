using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The page by the app's own function, asked as the platform asks.</summary>
public sealed class StatusFunctionTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task the_page_and_its_document_are_answered()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        var worker = app.NewWorker();
        await worker.TickAsync(Cancellation);
        await worker.DeliverAsync(app.Records(), Cancellation);
        var status = worker.Create<StatusFunction>();

        var page = (Answer)await status.RunAsync(new Request("GET", "/"), Cancellation);
        var document = (Answer)await status.RunAsync(new Request("get", "/api/status?x=1"), Cancellation);
        var head = (Answer)await status.RunAsync(new Request("HEAD", "/"), Cancellation);
        var nothing = (Answer)await status.RunAsync(new Request("GET", "/nothing"), Cancellation);

        Assert.Equal((HttpStatusCode.OK, "text/html; charset=utf-8"), (page.StatusCode, page.Header("Content-Type")));
        Assert.Contains("<html", page.Text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("default-src 'none'", page.Header("Content-Security-Policy"));
        Assert.Equal(HttpStatusCode.OK, document.StatusCode);
        Assert.Equal("application/json", document.Header("Content-Type").Split(';')[0]);
        using var json = JsonDocument.Parse(document.Text);
        Assert.Contains(app.Options.Kafka.Topic, json.RootElement.GetRawText());
        var process = json.RootElement.GetProperty("process");
        Assert.Equal(("FunctionApp", 2), (process.GetProperty("host").GetString(), process.GetProperty("halves").GetArrayLength()));
        Assert.Equal(
            ["running", "running"],
            json.RootElement.GetProperty("halves").EnumerateArray().Select(h => h.GetProperty("state").GetString()));
        Assert.Equal((HttpStatusCode.OK, ""), (head.StatusCode, head.Text));
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
    }

    /// <summary>Of a request, no more than its context is asked for.</summary>
    private sealed class Context : FunctionContext
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

    private sealed class Request(string method, string path) : HttpRequestData(new Context())
    {
        public override Stream Body => Stream.Null;
        public override HttpHeadersCollection Headers { get; } = [];
        public override IReadOnlyCollection<IHttpCookie> Cookies => [];
        public override Uri Url => new("http://localhost:8080" + path);
        public override IEnumerable<ClaimsIdentity> Identities => [];
        public override string Method => method;
        public override HttpResponseData CreateResponse() => new Answer(FunctionContext);
    }

    private sealed class Answer(FunctionContext context) : HttpResponseData(context)
    {
        public override HttpStatusCode StatusCode { get; set; }
        public override HttpHeadersCollection Headers { get; set; } = [];
        public override Stream Body { get; set; } = new MemoryStream();
        public override HttpCookies Cookies => throw new NotSupportedException("the page sets no cookie");
        public string Text => Encoding.UTF8.GetString(((MemoryStream)Body).ToArray());
        public string Header(string name) => Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";
    }
}
