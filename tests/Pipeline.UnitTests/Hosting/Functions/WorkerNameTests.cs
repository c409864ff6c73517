using System.Text;
using OrdersStream.Hosting.Functions;

namespace OrdersStream.UnitTests.Hosting.Functions;

/// <summary>By the name of its session whoever holds the poller's lock is found.</summary>
public sealed class WorkerNameTests
{
    [Theory]
    [InlineData("orders-stream")]
    [InlineData("a-name-that-is-as-long-as-the-server-takes-any-name-of-a-session")]
    [InlineData("ein-Name-mit-Umlauten-äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü")]
    public void it_names_the_process_and_its_host_however_long_the_configured_name_is(string configured)
    {
        var name = WorkerName.Of(configured);
        Assert.True(Encoding.UTF8.GetByteCount(name) <= 63, name);
        Assert.StartsWith(configured[..10], name, StringComparison.Ordinal);
        Assert.Matches($", worker {Environment.ProcessId}{(OperatingSystem.IsLinux() ? " of host [0-9]+" : "")}( |$)", name);
    }
}
