using System.Net;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.Site.Tests;

/// <summary>The page of a real run on real servers.</summary>
public sealed class RunTests(PostgresServer postgres, KafkaServer kafka, Browser browser)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task numbers_change_while_rows_are_stored()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await using var run = pipeline.Run();
        await using var server = await run.Site.ServeAsync(new IPEndPoint(IPAddress.Loopback, 0), Token);
        using var stop = new CancellationTokenSource();
        var running = run.UntilStoppedAsync(null, [0, 1, 2, 3], stop.Token, Token);
        await using var watched = await browser.OpenAsync(server.Address);

        await watched.SaysAsync("lake-rows", "24 rows");
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET amount = amount + 1");
        await watched.SaysAsync("lake-rows", "48 rows");
        await watched.SaysAsync("lake-lag", "up to date");
        await watched.SaysAsync("health-word", "All is well");
        await watched.SaysAsync("seen-by", "as the process itself has seen it");
        await watched.SaysAsync("process", "Answered by LocalHost");
        await watched.Page.WaitForFunctionAsync("() => /^[1-9]|^0\\.[1-9]/.test(document.getElementById('stored-rate').textContent)");
        // The two halves' own words of what they did last, put together.
        await watched.Page.WaitForFunctionAsync("() => /^[0-9]/.test([...document.querySelectorAll('figure b')].at(-1).textContent)");
        PageTests.NothingWentElsewhere(watched, server.Address);
        Assert.DoesNotContain("Asha", await watched.Page.ContentAsync());

        await stop.CancelAsync();
        await running.WithPatienceAsync("both halves");
    }

    [Fact]
    public async Task the_metrics_count_what_was_published_and_stored_and_tell_no_row()
    {
        await using var pipeline = await TestPipeline.CreateAsync(postgres, kafka);
        await pipeline.Database.ExecuteAsync("UPDATE t_orders SET customer_name = 'Zenobia Quux', item = 'Unobtainium Dosa'");
        await using var run = pipeline.Run();
        await using var server = await run.Site.ServeAsync(new IPEndPoint(IPAddress.Loopback, 0), Token);
        Assert.True(await run.OnceAsync(null, Token));
        using var client = new HttpClient { BaseAddress = server.Address };
        var text = await client.GetStringAsync("metrics", Token);
        var topic = pipeline.Options.Kafka.Topic;
        Assert.Matches($$"""messaging_client_sent_messages_total\{[^}]*messaging_destination_name="{{topic}}"[^}]*\} 24\s""", text);
        Assert.Matches($$"""messaging_client_consumed_messages_total\{[^}]*messaging_destination_name="{{topic}}"[^}]*\} 24\s""", text);
        Assert.Matches($$"""db_client_response_returned_rows_sum\{[^}]*db_namespace="{{pipeline.Database.Name}}"[^}]*\} 24\s""", text);
        Assert.Contains("orders_stream_poll_duration_seconds_count", text);
        Assert.Contains("orders_stream_batch_duration_seconds_count", text);
        Assert.Contains("dotnet_process_memory_working_set", text);
        foreach (var answer in new[] { text, await client.GetStringAsync("api/status", Token) })
            Assert.All(["Zenobia", "Unobtainium", PostgresServer.RolePassword], value => Assert.DoesNotContain(value, answer));
    }
}
