using System.Net;
using System.Net.Sockets;
using OrdersStream.Diagnostics;
using OrdersStream.Site.Server;

namespace OrdersStream.Site.Tests;

/// <summary>The local server around the page.</summary>
public sealed class ServerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("evil.example", HttpStatusCode.Forbidden)]
    [InlineData("127.0.0.1.evil.example", HttpStatusCode.Forbidden)]
    [InlineData("localhost", HttpStatusCode.OK)]
    [InlineData("127.0.0.1:8080", HttpStatusCode.OK)]
    [InlineData("[::1]:8080", HttpStatusCode.OK)]
    public async Task a_name_that_was_made_to_lead_here_is_refused(string host, HttpStatusCode expected)
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(served.Address, "api/status")) { Headers = { Host = host } };
        using var response = await client.SendAsync(request, Token);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task head_get_and_refusals_go_over_the_wire()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        using var client = new HttpClient { BaseAddress = served.Address };
        using var head = await client.SendAsync(new(HttpMethod.Head, "/"), Token);
        Assert.Equal((HttpStatusCode.OK, "text/html"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        using var page = await client.GetAsync("/", Token);
        Assert.Contains("default-src 'none'", Assert.Single(page.Headers.GetValues("Content-Security-Policy")));
        using var post = await client.PostAsync("/api/status", null, Token);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
        using var none = await client.GetAsync("/favicon.ico", Token);
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task an_address_that_is_taken_is_told_with_what_to_do()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        var taken = (IPEndPoint)other.LocalEndpoint;
        var refused = await Assert.ThrowsAsync<PipelineException>(() => served.StartAtAsync(taken));
        Assert.Equal($"The page cannot be served at {taken}: something else listens there.", refused.Problem);
        Assert.Contains("--ui 8081", refused.Remedy);
    }

    [Fact]
    public async Task an_address_of_another_machine_is_told()
    {
        await using var served = await ServedStatus.StartAsync(() => Statuses.Well());
        var refused = await Assert.ThrowsAsync<PipelineException>(() => served.StartAtAsync(new(IPAddress.Parse("192.0.2.1"), 8080)));
        Assert.Contains("this machine has no such address", refused.Problem);
    }

    [Theory]
    [InlineData("8081", "127.0.0.1:8081")]
    [InlineData("0", "127.0.0.1:0")]
    [InlineData(":8081", "127.0.0.1:8081")]
    [InlineData("localhost:8081", "127.0.0.1:8081")]
    [InlineData("0.0.0.0:8080", "0.0.0.0:8080")]
    [InlineData("*:8080", "0.0.0.0:8080")]
    [InlineData("[::1]:8080", "[::1]:8080")]
    [InlineData("65536", null)]
    [InlineData("-1", null)]
    [InlineData("::1:8080", null)]
    [InlineData("example:8080", null)]
    [InlineData("0.0.0.0", null)]
    [InlineData("", null)]
    public void an_address_is_a_port_or_an_address_with_a_port(string text, string? expected)
    {
        Assert.Equal(expected is not null, SiteAddress.TryParse(text, out var address));
        Assert.Equal(expected, address?.ToString());
    }
}
