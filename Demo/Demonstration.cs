using System.Net;
using Microsoft.Extensions.Logging;
using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Demo.Servers;
using OrdersStream.Demo.Traffic;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Hosting.Loops;
using OrdersStream.Site.Server;
using OrdersStream.Status;
using OrdersStream.Store;

namespace OrdersStream.Demo;

/// <summary>What the demonstration was asked to play.</summary>
/// <param name="Seconds">How long orders are played.</param>
/// <param name="Rate">New orders a second.</param>
/// <param name="Directory">Where lake and state are kept; null: datalake/demo, which git ignores.</param>
/// <param name="ServesStatusPage">Serve the status page.</param>
public sealed record DemoOptions(int Seconds, int Rate, string? Directory, bool ServesStatusPage);

/// <summary>
/// The whole pipeline on servers of its own: starts them, plays orders while both halves run, drains, and compares the lake with the table.
/// </summary>
/// <param name="options">What to play.</param>
/// <param name="time">The clock.</param>
/// <param name="newLog">
/// Where the pipeline's lines go: given where to write each, since they share the screen with a view of what happens.
/// </param>
/// <param name="takesColours">Whether standard output is a terminal that may be given colours.</param>
/// <param name="keyPressed">Waits for a key, so long the status page stays; null: there is nobody to press one.</param>
public sealed class Demonstration(
    DemoOptions options, TimeProvider time, Func<Action<string>, ILoggerProvider> newLog, bool takesColours,
    Func<CancellationToken, Task>? keyPressed = null)
{
    private const string Rollnumber = "demo", Database = "food_delivery_db", Role = "student", Password = "student123";

    /// <returns>Whether lake and table are equal, and the hard transactions came out as promised.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var folder = DemoFolder.Prepare(options.Directory);
        DemoReport.Starting();
        using var broker = EmbeddedBroker.Start(cancellationToken);
        await using var postgres = await StartPostgresAsync(cancellationToken);
        await OrdersScript.ApplyAsync(postgres.ConnectionString() + ";Pooling=false", Rollnumber, Role, Password, cancellationToken);
        var progress = new DemoProgress(time, TimeSpan.FromSeconds(options.Seconds));
        await using var stream = NewStream(Pipeline(postgres, broker, folder), newLog(progress.Note));
        var run = new PipelineRun(stream);
        run.PostgresToKafka.Polled = progress.Polled;
        stream.Store.Stored = progress.Stored;
        using var site = new StreamSite(stream);
        await using var statusPage = await ServeStatusPageAsync(site, cancellationToken);
        DemoReport.Started(postgres, broker, folder, statusPage?.Address);

        var hard = await PlayAsync(run, postgres, progress, cancellationToken);
        var played = progress.Elapsed;
        await run.OnceAsync(null, cancellationToken);
        DemoReport.Drained(progress.Figures, played, progress.Elapsed - played);

        var compared = await stream.Comparison.CompareAsync(cancellationToken);
        while (progress.TryTakeNote(out var note)) Console.WriteLine(note);
        var isEqual = new DemoReport(takesColours).Print(compared, hard, await DemoLake.ReadAsync(folder, cancellationToken), folder);
        if (statusPage is not null && keyPressed is not null) await StayAsync(run, statusPage.Address, keyPressed, cancellationToken);
        return isEqual;
    }

    /// <summary>The status page, and what it shows, until somebody has seen enough.</summary>
    private static async Task StayAsync(
        PipelineRun run, Uri statusPage, Func<CancellationToken, Task> keyPressed, CancellationToken cancellationToken)
    {
        DemoReport.Stays(statusPage);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var partitions = (await run.Stream.EnsureTopicAsync(cancellationToken)).Partitions;
        var halves = run.UntilStoppedAsync(null, [.. Enumerable.Range(0, partitions)], stop.Token, CancellationToken.None);
        try
        {
            // A half that fails ends it, too.
            await Task.WhenAny(keyPressed(stop.Token), halves);
        }
        finally
        {
            await stop.CancelAsync();
            await halves;
        }
    }

    /// <summary>At the usual port, or at any where another program has that one.</summary>
    private async Task<StatusServer?> ServeStatusPageAsync(StreamSite site, CancellationToken cancellationToken)
    {
        if (!options.ServesStatusPage) return null;
        try
        {
            return await site.ServeAsync(SiteAddress.Default, cancellationToken);
        }
        catch (PipelineException)
        {
            return await site.ServeAsync(new IPEndPoint(IPAddress.Loopback, 0), cancellationToken);
        }
    }

    private PipelineStream NewStream(PipelineOptions pipeline, ILoggerProvider log) => new(
        pipeline,
        new ProcessContext(
            time, CrashPoints.OfProcess, log.CreateLogger,
            new ProcessStatus("LocalHost", time.GetUtcNow(), [nameof(PostgresToKafka), nameof(KafkaToLake)])));

    private async Task<LocalPostgres> StartPostgresAsync(CancellationToken cancellationToken)
    {
        var binaries = await PostgresBinaries.FindAsync(cancellationToken) is { } found
            ? found.Directory
            : await FetchedPostgres.FetchAsync(Console.WriteLine, repository: null, cancellationToken);
        return await LocalPostgres.StartAsync(new LocalPostgresOptions { BinDirectory = binaries, Database = Database }, cancellationToken);
    }

    /// <summary>Traffic and both halves at once, until the traffic is over. Whatever fails first ends all of it.</summary>
    private async Task<IReadOnlyList<HardTransaction>> PlayAsync(
        PipelineRun run, LocalPostgres postgres, DemoProgress progress, CancellationToken cancellationToken)
    {
        using var trafficStop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Not by cancelling a page: of an aborted transaction the in-process Kafka, unlike a real one, shows the records.
        using var halvesStop = new CancellationTokenSource();
        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString());
        var table = new OrderTable($"{Rollnumber}_orders");
        var partitions = (await run.Stream.EnsureTopicAsync(cancellationToken)).Partitions;

        var view = new ProgressView(progress, time).ShowUntilAsync(halvesStop.Token);
        var pipeline = run.UntilStoppedAsync(null, [.. Enumerable.Range(0, partitions)], halvesStop.Token, cancellationToken);
        var halves = EndingAsync(pipeline, trafficStop);
        var orders = new OrderTraffic(database, table, options.Rate, progress, time).PlayAsync(progress.Planned, trafficStop.Token);
        var traffic = EndingAsync(orders, null, trafficStop);
        var hard = new HardTransactions(database, table, progress, time).PlayAsync(trafficStop.Token);
        try
        {
            await Task.WhenAll(traffic, EndingAsync(hard, null, trafficStop));
        }
        finally
        {
            await halvesStop.CancelAsync();
            await view;
            // Its failure, if it has one, is the cause of the traffic's.
            await halves;
        }
        return await hard;
    }

    /// <summary>Awaits a part, and ends the others with it: always, or only when it fails.</summary>
    private static async Task EndingAsync(Task part, CancellationTokenSource? always, CancellationTokenSource? onFailure = null)
    {
        try
        {
            await part;
        }
        catch when (onFailure is not null)
        {
            await onFailure.CancelAsync();
            throw;
        }
        finally
        {
            if (always is not null) await always.CancelAsync();
        }
    }

    private static PipelineOptions Pipeline(LocalPostgres postgres, EmbeddedBroker broker, DemoFolder folder) => new()
    {
        Postgres = new()
        {
            Host = postgres.Host, Port = postgres.Port, Db = Database, User = Role, Password = Password,
            Table = $"{Rollnumber}_orders", Sslmode = "disable",
        },
        Kafka = new() { Brokers = broker.BootstrapServers, Topic = $"{Rollnumber}_food_orders_raw", BrokerTellsTopicIds = false },
        Datalake = new() { Path = folder.Lake },
        Streaming = new()
        {
            CheckpointLocation = folder.Checkpoints, LastProcessedTimestampLocation = folder.LastProcess, BatchInterval = 1,
        },
        // It compares by itself, at its end.
        Audit = new() { Enabled = "false" },
    };
}
