using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;

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
        Assert.Equal(folder["commits", "id-1"], opened.Directory);
        Assert.Equal(opened.Directory, Open(Topic).Directory);
        Assert.Equal(folder["commits", "id-1", "7"], opened.PartitionDirectory(7));
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
        Assert.Equal(folder["commits", "id-2"], Open(Topic with { TopicId = "id-2" }).Directory);
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
        Assert.Equal(before.Directory, Open(Topic).Directory);
    }

    [Fact]
    public void two_topics_share_a_checkpoint()
    {
        Commit(Open(Topic));
        Commit(Open(new TopicIdentity("cluster-1", "invoices", "id-9")));
        Assert.Equal(folder["commits", "id-1"], Open(Topic).Directory);
    }

    [Theory]
    [InlineData("..", "..")]
    [InlineData("", "a/b")]
    [InlineData("../../x", "t")]
    public void no_name_leads_out_of_the_folder(string cluster, string topic)
    {
        var opened = Open(new TopicIdentity(cluster, topic, null));
        Assert.Equal(folder["commits"], Path.GetDirectoryName(Path.GetFullPath(opened.Directory)));
        Assert.Equal(folder["commits"], Path.GetDirectoryName(Path.GetFullPath(Open(new TopicIdentity(cluster, topic + "2", cluster + "/..")).Directory)));
    }

    private TopicCommits Open(TopicIdentity topic) => TopicCommits.Open(folder.Path, topic, CrashPoints.None);

    private static void Commit(TopicCommits commits)
    {
        Directory.CreateDirectory(commits.PartitionDirectory(0));
        File.WriteAllText(Path.Combine(commits.PartitionDirectory(0), "00000000000000000001.json"), "{}");
    }
}
