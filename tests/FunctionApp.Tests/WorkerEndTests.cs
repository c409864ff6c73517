using Microsoft.Extensions.Logging;
using OrdersStream.Kafka;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>
/// How the worker's process ends where it cannot work: it says why, in words that the host shows, and its exit code is a failure.
/// </summary>
public sealed class WorkerEndTests(PostgresServer postgres, KafkaServer kafka)
{
    private const string BatchSize = "AzureFunctionsJobHost__extensions__kafka__maxBatchSize";
    private const string HeapLimit = "DOTNET_GCHeapHardLimit";

    /// <summary>40 % of 1536 MiB, as in docker-compose.yml.</summary>
    private const string HeapOfCompose = "0x26666666";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task a_wrong_setting_is_told_by_a_line_that_the_host_takes_for_an_error()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka);
        await using var host = await SilentHost.StartAsync(Cancellation);
        app.Environment["KAFKA_TOPIC"] = "other";
        using var worker = AppProcess.Start(app.AppFolder, app.Environment, host.Port);

        var (exitCode, _, errors) = await worker.EndApartAsync();

        Assert.Equal(2, exitCode);
        var line = Assert.Single(Lines(errors), l => l.Contains("KAFKA_TOPIC", StringComparison.Ordinal));
        Assert.Equal(LogLevel.Error, HostConsole.LevelOf(line));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task a_worker_that_nobody_calls_ends_whether_its_host_is_there_or_gone(bool isThere)
    {
        kafka.RequireReal("a worker in another process");
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await using var host = await SilentHost.StartAsync(Cancellation);
        using var worker = AppProcess.Start(app.AppFolder, app.Environment, host.Port);
        await host.Connected.WithPatienceAsync("the worker");
        if (!isThere) await host.DisposeAsync();

        var (exitCode, _, errors) = await worker.EndApartAsync();

        Assert.True(exitCode == 1, errors);
        // One that has lost its host may notice at once, by the connection; or not at all.
        var why = isThere ? "error: no tick of PostgresToKafka came for" : "the Functions host";
        var line = Assert.Single(Lines(errors), l => l.Contains(why, StringComparison.Ordinal));
        Assert.Equal(LogLevel.Error, HostConsole.LevelOf(line));
    }

    /// <summary>Where one stores only, no tick is missed: with an account, another instance has the timer.</summary>
    [Theory]
    [InlineData("AzureWebJobsStorage__accountName", "a")]
    [InlineData("AzureWebJobs.PostgresToKafka.Disabled", "1")]
    [InlineData("AzureWebJobsStorage", "")]
    public async Task a_worker_that_a_message_larger_than_its_memory_made_deaf_ends_though_its_host_is_there(string name, string value)
    {
        kafka.RequireReal("a worker in another process");
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await using var host = await SilentHost.StartAsync(Cancellation);
        app.Environment[name] = value;
        app.Environment[HeapLimit] = HeapOfCompose;
        using var worker = AppProcess.Start(app.AppFolder, app.Environment, host.Port);
        await worker.UntilSaidAsync(AppProcess.Started);

        await host.AnnounceAsync(1_000_000_000);
        var (exitCode, _, errors) = await worker.EndApartAsync();

        Assert.True(exitCode == 1, errors);
        var line = Assert.Single(Lines(errors), l => HostConsole.LevelOf(l) == LogLevel.Error);
        Assert.StartsWith("error: nothing came from the Functions host for 2 s", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task a_worker_begins_though_the_brokers_refuse_the_topic()
    {
        kafka.RequireReal("a refused replication factor");
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await using var host = await SilentHost.StartAsync(Cancellation);
        app.Environment["Kafka__ReplicationFactor"] = "5";
        using var worker = AppProcess.Start(app.AppFolder, app.Environment, host.Port);

        await worker.UntilSaidAsync(AppProcess.Started);

        await host.Connected.WithPatienceAsync("the worker");
        Assert.Null((await new TopicAdmin(app.Options).DescribeClusterAsync(Waiting.Patience, Cancellation)).Partitions);
    }

    [Fact]
    public async Task a_worker_whose_rows_make_batches_larger_than_its_memory_does_not_begin_and_begins_once_its_remedy_is_followed()
    {
        kafka.RequireReal("a worker in another process");
        await using var app = await AppStream.CreateAsync(postgres, kafka, 10);
        await using var host = await SilentHost.StartAsync(Cancellation);
        await app.Stream.ExecuteAsync("UPDATE items SET name = repeat('x', 100000)");
        app.Environment[BatchSize] = "10000";
        app.Environment[HeapLimit] = HeapOfCompose;

        using (var worker = AppProcess.Start(app.AppFolder, app.Environment, host.Port))
        {
            var (exitCode, _, errors) = await worker.EndApartAsync();
            Assert.True(exitCode == 1, errors);
            var line = Assert.Single(Lines(errors), l => l.StartsWith("error: Rows have 100,", StringComparison.Ordinal));
            Assert.Contains("no more than 17.9 MB reach a worker that may use 644.2 MB", line, StringComparison.Ordinal);
            var remedy = line[line.IndexOf($"Set {BatchSize} to ", StringComparison.Ordinal)..].Split(' ')[3].TrimEnd(',');
            app.Environment[BatchSize] = remedy;
        }
        Assert.False(host.Connected.IsCompleted);
        using var next = AppProcess.Start(app.AppFolder, app.Environment, host.Port);
        await host.Connected.WithPatienceAsync("the worker");
    }

    private static string[] Lines(string errors) => errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
