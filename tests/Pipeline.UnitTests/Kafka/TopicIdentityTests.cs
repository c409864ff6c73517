using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Kafka;

public sealed class TopicIdentityTests
{
    [Fact]
    public void a_topic_made_anew_under_its_name_is_another_one() =>
        Assert.False(new TopicIdentity("c", "orders", "id-1").Matches(new TopicIdentity("c", "orders", "id-2")));

    [Fact]
    public void the_same_id_is_the_same_topic_even_when_the_cluster_tells_another_name_of_itself() =>
        Assert.True(new TopicIdentity("c", "orders", "id-1").Matches(new TopicIdentity("d", "orders", "id-1")));

    [Fact]
    public void where_a_side_knows_no_id_cluster_and_name_decide()
    {
        Assert.True(new TopicIdentity("c", "orders", null).Matches(new TopicIdentity("c", "orders", "id-1")));
        Assert.False(new TopicIdentity("c", "orders", null).Matches(new TopicIdentity("d", "orders", "id-1")));
        Assert.False(new TopicIdentity("c", "orders", null).Matches(new TopicIdentity("c", "others", null)));
    }
}
