using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>Storers whose number follows the group's lag, by the numbers of deploy/kubernetes.</summary>
public sealed class ScalerTests(PostgresServer postgres, KafkaServer kafka)
{
    // The world of the manifest, a thousand times smaller; a look of its ten seconds is one of this test's.
    private const int Smaller = 1_000;
    private const int Several = 8;

    /// <summary>A backlog of as many thresholds comes while rows flow, brings so many, and is gone; then all but one go.</summary>
    [Fact]
    public async Task from_one_storer_to_several_and_back_while_rows_flow_nothing_is_lost_or_stored_twice()
    {
        kafka.RequireReal("groups share partitions");
        await using var stream = await TestStream.CreateAsync(postgres, kafka, configure: o => o with
        {
            Kafka = o.Kafka with { Partitions = 8 },
            Streaming = o.Streaming with { BatchInterval = 1 },
        });
        var numbers = ScalerNumbers.OfManifests(Smaller);
        await using (var scaler = new LagScaler(stream.Options, numbers))
        {
            long backlog = 0;
            await UntilAsync(() => scaler is { Running: 1, HasStored: true });
            // However fast it is stored.
            backlog = (long)(numbers.LagThreshold * (Several - 0.5));
            await UntilAsync(() => scaler.Running >= Several);
            backlog = 0;
            await scaler.KillOneAsync();
            await UntilAsync(() => scaler.Running == 1);
            Assert.Equal(1, scaler.Fewest);

            // A look, and rows that flow meanwhile: far fewer than would ask for another storer.
            Task UntilAsync(Func<bool> isSo) => Waiting.UntilAsync(
                async () =>
                {
                    await InsertAsync(stream, Math.Max(2, backlog - scaler.Lag));
                    await stream.PollAsync();
                    await scaler.LookAsync();
                    return isSo();
                },
                null, () => $"{scaler.Running} store, and {scaler.Lag} records wait", () => (scaler.Running, scaler.Lag));
        }

        // The whole topic once more: the lake has what it has.
        await stream.DrainAsync();
        await stream.StoreAsync();
        await stream.LakeShouldEqualTableAsync();
        Assert.Equal(await stream.Database.ScalarAsync<long>("SELECT count(*) FROM items"), stream.Lake.Count());
    }

    private static Task InsertAsync(TestStream stream, long rows) => stream.ExecuteAsync(
        $"INSERT INTO items (id, name) SELECT n + i, 'x' FROM (SELECT count(*) n FROM items) c, generate_series(1, {rows}) i");
}
