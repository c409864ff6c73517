namespace OrdersStream.UnitTests.Deployment;

/// <summary>The ScaledObject, as a cluster would take it. The schema lets unknown fields through: the types here do not.</summary>
public sealed class KedaSchemaTests
{
    private static readonly string Shipped = Manifests.Read("overlays/keda/scaledobject.yaml");

    [Fact]
    public async Task the_shipped_scaled_object_is_one() => Assert.Equal("", await KedaSchema.SaidOfAsync(Shipped));

    [Theory]
    [InlineData("lagThreshold: \"1000000\"", "lagThreshold: 1000000", "/spec/triggers/0/metadata/lagThreshold must be string")]
    [InlineData("- type: kafka\n      metadata:", "- metadata:", "/spec/triggers/0 must have required property type")]
    [InlineData("maxReplicaCount: 8", "maxReplicaCount: \"8\"", "/spec/maxReplicaCount must be integer")]
    public async Task another_one_is_refused(string shipped, string other, string reason)
    {
        Assert.Contains(shipped, Shipped);
        Assert.Contains(reason, await KedaSchema.SaidOfAsync(Shipped.Replace(shipped, other)));
    }
}
