using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Http;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>The page by the app's own function. Not with the packages: their requests can be made by the platform alone.</summary>
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
        Assert.Equal((HttpStatusCode.OK, ""), (head.StatusCode, head.Text));
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
    }

    private sealed class Context : FunctionContext
    {
        public override string InvocationId => "1";
    }

    private sealed class Request(string method, string path) : HttpRequestData(new Context())
    {
        public override Stream Body => Stream.Null;
        public override Uri Url => new("http://localhost:8080" + path);
        public override string Method => method;
        public override HttpResponseData CreateResponse() => new Answer(FunctionContext);
    }

    private sealed class Answer(FunctionContext context) : HttpResponseData(context)
    {
        public override HttpStatusCode StatusCode { get; set; }
        public override HttpHeadersCollection Headers { get; set; } = new();
        public override Stream Body { get; set; } = new MemoryStream();
        public string Text => Encoding.UTF8.GetString(((MemoryStream)Body).ToArray());
        public string Header(string name) => Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";
    }
}
