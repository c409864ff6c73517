using OrdersStream.TestKit;
using OrdersStream.TestKit.Servers;

namespace OrdersStream.ReliabilityTests;

/// <summary>Storers whose number follows the group's lag, by the numbers of deploy/kubernetes.</summary>
public sealed class ScalerTests(PostgresServer postgres, KafkaServer kafka)
{
    // The world of the manifest, a thousand times smaller; a look of its ten seconds is one of this test's.
    private const int Smaller = 1_000;

    /// <summary>
    /// While rows flow, a backlog of as many thresholds comes, brings so many, and they take it away, though one of them is killed each
    /// time; then all but one go.
    /// </summary>
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
            foreach (var several in (int[])[2, 4, 8])
            {
                // However fast it is stored, until those that came have their share of the partitions; who gives some away stores first.
                backlog = (long)(numbers.LagThreshold * (several - 0.5));
                await UntilAsync(() => scaler.Running >= several && scaler.Sharing >= several && scaler.Lag >= backlog / 2);
                backlog = 0;
                var waiting = scaler.Lag;
                await UntilAsync(() => scaler.Lag < waiting / 2);
                await scaler.KillOneAsync();
                await UntilAsync(() => scaler.Missing == 0);
            }
            await UntilAsync(() => scaler.Running <= 4);
            await scaler.KillOneAsync();
            await UntilAsync(() => scaler.Missing == 0);
            await UntilAsync(() => scaler.Running == 1);
            Assert.Equal((1, 4), (scaler.Fewest, scaler.Replaced));

            // A look, and rows that flow meanwhile: far fewer than would ask for another storer. Where nobody stores they add
            // up, and bring storers: that is no progress.
            Task UntilAsync(Func<bool> isSo)
            {
                var (lowest, fewest) = (long.MaxValue, int.MaxValue);
                return Waiting.UntilAsync(
                    async () =>
                    {
                        await InsertAsync(stream, Math.Max(2, backlog - scaler.Lag));
                        await stream.PollAsync();
                        await scaler.LookAsync();
                        (lowest, fewest) = (Math.Min(lowest, scaler.Lag), Math.Min(fewest, scaler.Running));
                        return isSo();
                    },
                    null, () => $"{scaler.Running} run, {scaler.Sharing} share the topic, and {scaler.Lag} records wait",
                    () => backlog > 0 ? (scaler.Running, scaler.Sharing, lowest) : (fewest, 0, lowest));
            }
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
