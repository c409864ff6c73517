using System.Text;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;

namespace OrdersStream.UnitTests.Store;

/// <summary>Records that are no rows are kept, whole, and hold nothing up.</summary>
public sealed class QuarantineTests : IDisposable
{
    private readonly TestLake lake = new();
    private TestTopic Topic => lake.Topic;

    public void Dispose() => lake.Dispose();

    [Theory]
    [InlineData("not json", "1")]
    [InlineData("[]", "1")]
    [InlineData("{\"order_id\":1}", "1")]
    [InlineData(null, "1")]
    [InlineData("a row", null)]
    public async Task a_record_that_is_no_row_goes_to_quarantine_and_the_others_are_stored(string? value, string? key)
    {
        Topic.Page(0, 2);
        Topic.Produce(0, value == "a row" ? TestTopic.Row(9) : value, key: key);
        Topic.Page(0, 2);
        var result = await lake.StoreAsync(Topic.All);
        Assert.Equal((4, 1), (result.Rows, result.Quarantined));
        await lake.AssertStoredOnceAsync();
        Assert.Contains("_quarantine/quarantine-0-3-3.jsonl", lake.Files());
        Assert.DoesNotContain(LakeReader.Files(new LakeFolder(lake.Root)), f => f.Contains("quarantine"));
    }

    [Fact]
    public async Task a_quarantined_record_is_kept_whole_and_its_reason_tells_no_value()
    {
        byte[] raw = [0xff, 0x00, (byte)'s', (byte)'e', (byte)'c'];
        Topic.Page(0, 1);
        var produced = Topic.Produce(0, "{\"order_id\":\"secret\"}", [new StreamHeader("trace", raw), new StreamHeader("empty", null)]);
        await lake.StoreAsync(Topic.All);
        var line = Assert.Single(lake.Quarantined());
        Assert.Equal(("orders", 0, produced.Offset, produced.TimestampMs), (
            line.GetProperty("topic").GetString(), line.GetProperty("partition").GetInt32(),
            line.GetProperty("offset").GetInt64(), line.GetProperty("timestamp_ms").GetInt64()));
        Assert.Equal(produced.Key, line.GetProperty("key_base64").GetBytesFromBase64());
        Assert.Equal(produced.Value, line.GetProperty("value_base64").GetBytesFromBase64());
        Assert.Equal(raw, line.GetProperty("headers")[0].GetProperty("value_base64").GetBytesFromBase64());
        Assert.Equal("empty", line.GetProperty("headers")[1].GetProperty("name").GetString());
        Assert.DoesNotContain("secret", line.GetProperty("reason").GetString());
        Assert.Contains("order_id", line.GetProperty("reason").GetString());
    }

    [Fact]
    public async Task a_poison_record_at_the_end_of_a_page_still_ends_it()
    {
        Topic.Page(0, 2, value: i => i == 0 ? TestTopic.Row(0) : "poison");
        await lake.StoreAsync(Topic.All);
        await lake.StoreAsync(Topic.Page(0, 2));
        await lake.AssertStoredOnceAsync();
        Assert.Empty(lake.Gaps);
    }

    [Fact]
    public async Task a_batch_of_poison_alone_is_committed()
    {
        Topic.Page(0, 3, value: _ => "poison");
        var result = await lake.StoreAsync(Topic.All);
        Assert.Equal((0, 3, 0), (result.Rows, result.Quarantined, result.Files));
        await lake.AssertStoredOnceAsync();
        Assert.Equal(3, (await lake.StoreAsync(Topic.All)).AlreadyStored);
    }

    [Fact]
    public async Task the_operation_is_upsert_unless_a_header_says_otherwise()
    {
        Topic.Page(0, 1);
        Topic.Produce(0, TestTopic.Row(1), [TestTopic.Header(StreamHeader.Op, "delete")]);
        Topic.Produce(0, TestTopic.Row(2));
        await lake.StoreAsync(Topic.All);
        var ops = new List<string>();
        var place = new LakeFolder(lake.Root);
        var reader = new LakeReader(place, _ => TestTopic.Orders);
        await foreach (var row in reader.ReadAsync(Assert.Single(LakeReader.Files(place)), CancellationToken.None)) ops.Add(row.Op);
        Assert.Equal(["upsert", "delete", "upsert"], ops);
    }

    [Theory]
    [InlineData("")]
    [InlineData("löschen")]
    [InlineData("a\nb")]
    [InlineData("an operation whose name is too long to be one")]
    public async Task an_operation_that_is_no_short_ascii_text_is_poison(string op)
    {
        Topic.Page(0, 1);
        Topic.Produce(0, TestTopic.Row(1), [new StreamHeader(StreamHeader.Op, Encoding.UTF8.GetBytes(op))]);
        Assert.Equal((1, 1), await lake.StoreAsync(Topic.All) is var r ? (r.Rows, r.Quarantined) : default);
    }
}
