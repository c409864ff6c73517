using OrdersStream.Durable;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.FunctionApp.Tests;

/// <summary>Both functions at work, driven as the host drives them, while the table changes.</summary>
public sealed class EndToEndTests(PostgresServer postgres, KafkaServer kafka)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task rows_go_from_the_table_to_the_lake()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 100);
        var worker = app.NewWorker();
        await worker.TickAsync(Cancellation);
        var host = new HostLoop(app.Options, worker);
        using var stop = new CancellationTokenSource();
        var storing = host.RunAsync(stop.Token);
        for (var round = 0; round < 5; round++)
        {
            await app.InsertAsync(1_000 + 50 * round, 50);
            await app.Stream.ExecuteAsync("UPDATE items SET name = name || '+', updated_at = clock_timestamp() WHERE id <= 20");
            await worker.TickAsync(Cancellation);
        }
        await app.Stream.UntilStoredAsync(100 + 5 * 70, storing);
        await stop.CancelAsync();
        await storing.WithPatienceAsync("the host");

        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_second_instance_stands_by_at_one_half_and_shares_the_other()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 200);
        var (one, two) = (app.NewWorker(), app.NewWorker());
        await one.TickAsync(Cancellation);
        var (hostOne, hostTwo) = (new HostLoop(app.Options, one), new HostLoop(app.Options, two));
        using var stop = new CancellationTokenSource();
        var storing = Task.WhenAll(hostOne.RunAsync(stop.Token), hostTwo.RunAsync(stop.Token));
        for (var round = 0; round < 5; round++)
        {
            await app.InsertAsync(1_000 + 50 * round, 50);
            await Task.WhenAll(one.TickAsync(Cancellation), two.TickAsync(Cancellation));
        }
        // What was in the hands of one when the other came is delivered twice: only the lake tells when all are there.
        await app.Stream.UntilStoredAsync(450, storing);
        await stop.CancelAsync();
        await storing.WithPatienceAsync("the host");

        var standingBy = Assert.Single(app.Stream.Log.Lines, l => l.Id == 1004);
        Assert.Matches($"application 'orders-stream, worker {Environment.ProcessId}( of host [0-9]+)? on ", standingBy.Message);
        if (OperatingSystem.IsLinux()) Assert.Contains(" of host ", standingBy.Message);
        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task two_instances_that_hold_the_same_partitions_cannot_both_store_a_record()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 400);
        await app.NewWorker().TickAsync(Cancellation);
        var records = app.Records();
        var workers = Enumerable.Range(0, 2).Select(_ => app.NewWorker()).ToList();

        // Each gets everything, in cuts of its own, as while a rebalance is on; a failure is delivered again, as the host does.
        await Task.WhenAll(workers.Select((worker, i) => Task.Run(async () =>
        {
            foreach (var batch in records.Chunk(17 + 12 * i)) await worker.DeliverAsync(batch, Cancellation);
        }, Cancellation)));

        Assert.Equal(400, app.Stream.Lake.Count());
        await app.Stream.LakeShouldEqualTableAsync();
    }

    [Fact]
    public async Task a_host_that_ends_in_mid_delivery_is_followed_by_one_that_delivers_again()
    {
        await using var app = await AppStream.CreateAsync(postgres, kafka, 300);
        using var stop = new CancellationTokenSource();
        var first = app.NewWorker(point => { if (point == CrashPoint.CommitCreated) stop.Cancel(); });
        await first.TickAsync(Cancellation);
        await new HostLoop(app.Options, first).RunAsync(stop.Token).WithPatienceAsync("the host");
        await first.DisposeAsync();

        var second = new HostLoop(app.Options, app.NewWorker());
        using var end = new CancellationTokenSource();
        var storing = second.RunAsync(end.Token);
        await app.Stream.UntilAsync(
            () => app.Stream.Lake.Count() == 300, storing, () => $"{second.Delivered} records were delivered again");
        await end.CancelAsync();
        await storing.WithPatienceAsync("the host");

        await app.Stream.LakeShouldEqualTableAsync();
    }
}
