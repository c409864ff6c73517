using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Lake;

/// <summary>Invariant 6: a checkpoint belongs to one topic.</summary>
public sealed class TopicCommitsTests : IDisposable
{
    private static readonly TopicIdentity Topic = new("cluster-1", "orders", "id-1");
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void the_folder_is_named_by_the_topics_id_and_found_again()
    {
        var opened = Open(Topic);
        Assert.Equal("id-1", opened.Name);
        Assert.Equal(opened.Name, Open(Topic).Name);
        Assert.Equal("commits/id-1/7/00000000000000000001.json", opened.LogOf(7, TimeProvider.System, CrashPoints.None).PathOf(1));
    }

    [Fact]
    public void a_topic_deleted_and_made_anew_stops_it_and_both_ids_are_named()
    {
        Commit(Open(Topic));
        var e = Assert.Throws<PipelineException>(() => Open(Topic with { TopicId = "id-2" }));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains("id-1", e.Problem);
        Assert.Contains("id-2", e.Problem);
        Assert.Contains("checkpoint_location", e.Remedy);
        Assert.Equal([folder["commits", "id-1"]], Directory.GetDirectories(folder["commits"]));
    }

    [Fact]
    public void a_topic_that_was_opened_but_never_stored_leaves_room_for_the_next()
    {
        Open(Topic);
        Assert.Equal("id-2", Open(Topic with { TopicId = "id-2" }).Name);
    }

    [Fact]
    public void another_cluster_without_topic_ids_stops_it()
    {
        Commit(Open(Topic with { TopicId = null }));
        Assert.Throws<PipelineException>(() => Open(new TopicIdentity("cluster-2", "orders", null)));
    }

    [Fact]
    public void brokers_that_begin_to_tell_ids_are_the_same_cluster_still()
    {
        var before = Open(Topic with { TopicId = null });
        Commit(before);
        Assert.Equal(before.Name, Open(Topic).Name);
    }

    [Theory]
    [InlineData("""{"version":1,"clusterId":"cluster-1","topic":null,"topicId":"id-1"}""", "it names another topic than its folder")]
    [InlineData("""{"version":1}""", "it is not the JSON of a topic's identity")]
    [InlineData("{", "it is not whole JSON")]
    public void an_owner_that_was_altered_stops_it(string owner, string why)
    {
        Commit(Open(Topic));
        var file = folder["commits", "id-1", "topic.json"];
        File.WriteAllText(file, owner);
        var e = Assert.Throws<PipelineException>(() => Open(Topic));
        Assert.Equal((FailureAction.Stop, $"'{file}' cannot be used: {why}."), (e.Action, e.Problem));
        Assert.Equal(owner, File.ReadAllText(file));
    }

    [Fact]
    public void two_topics_share_a_checkpoint()
    {
        Commit(Open(Topic));
        Commit(Open(new TopicIdentity("cluster-1", "invoices", "id-9")));
        Assert.Equal("id-1", Open(Topic).Name);
    }

    [Theory]
    [InlineData("..", "..")]
    [InlineData("", "a/b")]
    [InlineData("../../x", "t")]
    public void no_name_leads_out_of_the_folder(string cluster, string topic)
    {
        var opened = Open(new TopicIdentity(cluster, topic, null));
        Assert.Equal(folder["commits"], Path.GetDirectoryName(Path.GetFullPath(At(opened))));
        var another = Open(new TopicIdentity(cluster, topic + "2", cluster + "/.."));
        Assert.Equal(folder["commits"], Path.GetDirectoryName(Path.GetFullPath(At(another))));
    }

    private TopicCommits Open(TopicIdentity topic) => TopicCommits.Open(new LakeFolder(folder.Path), topic);

    private string At(TopicCommits commits) => folder["commits", commits.Name];

    private void Commit(TopicCommits commits)
    {
        Directory.CreateDirectory(Path.Combine(At(commits), "0"));
        File.WriteAllText(Path.Combine(At(commits), "0", "00000000000000000001.json"), "{}");
    }
}
