using OrdersStream.Configuration;
using OrdersStream.Lake.Files;
using OrdersStream.Status;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Status;

/// <summary>Storing goes on where a whole page is gone: whoever asks hears of it.</summary>
public sealed class MissingPagesTests
{
    [Fact]
    public async Task pages_that_are_nowhere_are_told_until_somebody_says_that_it_is_known()
    {
        using var lake = new TestLake();
        lake.Topic.Framed(0, 1, [1, 2]);
        lake.Topic.Framed(0, 3, [3], previous: 2);
        await lake.StoreAsync(lake.Topic.All);

        var missing = Assert.Single((await ReadAsync(lake)).MissingPages);
        Assert.Equal((0, 1L), (missing.Partition, missing.Places));
        await File.WriteAllBytesAsync(missing.MarkerPath, [], TestContext.Current.CancellationToken);
        Assert.Empty((await ReadAsync(lake)).MissingPages);
    }

    private static Task<LakeObservation> ReadAsync(TestLake lake) => LakeObservation.ReadAsync(
        new PipelineOptions
        {
            Datalake = new DatalakeOptions { Path = lake.Root },
            Kafka = lake.Kafka with { Topic = lake.Topic.Identity.Topic },
            Streaming = new StreamingOptions { CheckpointLocation = lake.Checkpoint },
        },
        lake.Topic.Identity, location => new LakeFolder(location), new QuarantineCauses(), TestContext.Current.CancellationToken);
}
