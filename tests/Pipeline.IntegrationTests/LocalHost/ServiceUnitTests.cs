using System.CommandLine;
using System.Globalization;
using OrdersStream.Configuration;
using OrdersStream.LocalHost.CommandLine;
using OrdersStream.LocalHost.Verbs;
using OrdersStream.TestKit;

namespace OrdersStream.IntegrationTests.LocalHost;

/// <summary>The unit of systemd, held against the program that it starts: its verbs, its settings, and how it ends.</summary>
public sealed class ServiceUnitTests
{
    private static readonly ILookup<string, string> Unit = File.ReadLines(Repository.PathOf("deploy/orders-stream.service"))
        .Where(line => line.Contains('=') && !line.StartsWith('#')).Select(line => line.Split('=', 2)).ToLookup(p => p[0], p => p[1]);

    private static readonly Dictionary<string, string> Environment = File.ReadLines(Repository.PathOf("deploy/environment.example"))
        .Where(line => line.Contains('=')).Select(line => line.TrimStart('#', ' ').Split('=', 2))
        .Where(p => !p[0].Contains(' ')).ToDictionary(p => p[0], p => p[1]);

    [Theory, InlineData("ExecStartPre", "config"), InlineData("ExecStart", "run")]
    public void what_it_starts_the_program_knows(string key, string verb)
    {
        var words = Assert.Single(Unit[key]).Split(' ');
        var parsed = Commands.Root().Parse(words[1..]);
        Assert.Empty(parsed.Errors);
        Assert.Equal(verb, parsed.CommandResult.Command.Name);
        Assert.EndsWith("/orders-stream", words[0]);
    }

    /// <summary>Each line of the example, and those that are commented out, too.</summary>
    [Fact]
    public void with_the_example_of_its_environment_the_shipped_configuration_can_be_used()
    {
        var options = ConfigurationLoader.Load(Repository.PathOf("configs/orders_stream.yml"), [], Environment, null);
        Assert.Equal("ab12_orders", options.Postgres.Table);
        Assert.Equal("verify-full", options.Postgres.Sslmode);
        string[] written =
            [options.Datalake.Path, options.Streaming.CheckpointLocation, options.Streaming.LastProcessedTimestampLocation];
        Assert.All(written, path => Assert.StartsWith(Assert.Single(Unit["ReadWritePaths"]) + "/", path));
    }

    [Fact]
    public void it_may_end_by_itself_before_it_is_killed()
    {
        var patience = TimeSpan.FromSeconds(int.Parse(Assert.Single(Unit["TimeoutStopSec"]), CultureInfo.InvariantCulture));
        Assert.True(patience > RunVerb.StopTimeout);
    }

    /// <summary>Invariant 8: a failure that does not pass by itself is not tried again as if it did.</summary>
    [Fact]
    public void an_exit_code_does_not_start_it_again_and_a_signal_does() => Assert.Equal(["on-abnormal"], Unit["Restart"]);
}
