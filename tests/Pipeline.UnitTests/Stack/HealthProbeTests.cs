using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace OrdersStream.UnitTests.Stack;

/// <summary>The probes of the compose file that are written in bash, run as they are against answers of either kind.</summary>
public sealed class HealthProbeTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", true)]
    [InlineData("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n", false)]
    [InlineData("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n", false)]
    [InlineData("", false)]
    public async Task the_functions_are_healthy_when_their_status_is_answered(string answer, bool healthy)
    {
        var (exitCode, question) = await ProbeAsync("functions", "8080", "\r\n\r\n", answer);
        Assert.StartsWith("GET /api/status HTTP/1.1\r\nHost:localhost\r\n", question);
        Assert.Equal(healthy, exitCode == 0);
    }

    [Theory]
    [InlineData("Zookeeper version: 3.8.4\nReceived: 1\nMode: standalone\nNode count: 5\n", true)]
    [InlineData("This ZooKeeper instance is not currently serving requests\n", false)]
    [InlineData("", false)]
    public async Task zookeeper_is_healthy_when_it_serves_requests(string answer, bool healthy)
    {
        var (exitCode, question) = await ProbeAsync("zookeeper", "2181", "srvr", answer);
        Assert.Equal("srvr", question);
        Assert.Equal(healthy, exitCode == 0);
    }

    [Theory]
    [InlineData("functions", "8080")]
    [InlineData("zookeeper", "2181")]
    public async Task a_server_that_does_not_listen_is_not_healthy(string service, string port)
    {
        RequireBash();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var free = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        using var probe = Start(service, port, free);
        await probe.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.NotEqual(0, probe.ExitCode);
    }

    private static async Task<(int ExitCode, string Question)> ProbeAsync(string service, string port, string endOfQuestion, string answer)
    {
        RequireBash();
        var token = TestContext.Current.CancellationToken;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var probe = Start(service, port, ((IPEndPoint)listener.LocalEndpoint).Port);
        string question;
        using (var client = await listener.AcceptTcpClientAsync(token))
        {
            question = await ReadUntilAsync(client.GetStream(), endOfQuestion, token);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer), token);
        }
        await probe.WaitForExitAsync(token);
        return (probe.ExitCode, question);
    }

    // bash sends it line by line; an answer to half of it would cut it off.
    private static async Task<string> ReadUntilAsync(NetworkStream stream, string end, CancellationToken token)
    {
        var question = "";
        var bytes = new byte[1024];
        while (!question.EndsWith(end, StringComparison.Ordinal))
        {
            var length = await stream.ReadAsync(bytes, token);
            Assert.True(length > 0, $"the probe ended its question with '{question}'");
            question += Encoding.ASCII.GetString(bytes, 0, length);
        }
        return question;
    }

    private static Process Start(string service, string port, int actualPort)
    {
        var test = new ComposeFile().List("services", service, "healthcheck", "test");
        Assert.Equal(["CMD", "bash", "-c"], test[..3]);
        var script = test[3].Replace($"127.0.0.1/{port}", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1/{actualPort}"));
        return Process.Start(new ProcessStartInfo("bash", ["-c", script]) { RedirectStandardError = true })!;
    }

    private static void RequireBash() => Assert.SkipWhen(OperatingSystem.IsWindows(), "The probes are bash scripts.");
}
