using System.Net;
using System.Text.Json;
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

        var page = (PageAnswer)await status.RunAsync(new PageRequest("GET", "/"), Cancellation);
        var document = (PageAnswer)await status.RunAsync(new PageRequest("get", "/api/status?x=1"), Cancellation);
        var head = (PageAnswer)await status.RunAsync(new PageRequest("HEAD", "/"), Cancellation);
        var nothing = (PageAnswer)await status.RunAsync(new PageRequest("GET", "/nothing"), Cancellation);

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

    /// <summary>A worker that stores only, and has nothing to store, is asked for its page, or by a probe.</summary>
    [Fact]
    public async Task a_worker_that_is_asked_hears()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka);
        app.Environment["AzureWebJobsStorage__accountName"] = "a";
        var worker = app.NewWorker();
        worker.Watchdog.ConnectionBroke();
        for (var look = 1; look < 12; look++) Assert.False(worker.Watchdog.Look());

        await worker.Create<StatusFunction>().RunAsync(new PageRequest("GET", "/livez"), Cancellation);

        for (var look = 0; look < 100; look++) Assert.False(worker.Watchdog.Look());
    }
}
