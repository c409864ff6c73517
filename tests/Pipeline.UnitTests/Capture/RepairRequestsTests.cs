using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Durable;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Capture;

/// <summary>What is asked of the poller, and what it makes of it.</summary>
public sealed class RepairRequestsTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(Noon);

    private readonly TempFolder folder = new();

    private RepairRequests Requests => Of("orders");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void a_request_is_read_back_as_it_was_made_and_is_there_until_it_is_taken_off()
    {
        Assert.Empty(Requests.Waiting());
        var asked = new RepairRequest(
            "repair",
            new RowSelection
            {
                Keys = [["1", "o'brien \"x\""], ["2", ""]], FirstKey = ["a", "b"], LastKey = ["c", "d"], From = Noon, To = Noon.AddDays(1),
            },
            "id bigint", new Cursor(null, ["7", "8"]));
        var file = Requests.Add(asked, Now);
        Assert.Equal([file], Requests.Waiting());

        var read = Requests.Read(file);
        Assert.Equal(asked.ToStateFile("orders"), read.ToStateFile("orders"));
        Assert.Equal((asked.Behind, asked.Only.From, asked.Only.To), (read.Behind, read.Only.From, read.Only.To));
        Assert.Equal("o'brien \"x\"", read.Only.Keys!.Value[0][1]);

        Requests.Remove(file);
        Assert.Empty(Requests.Waiting());
    }

    [Theory, InlineData(true), InlineData(false)]
    public void that_its_keys_are_deleted_is_read_back_too(bool isDeletes)
    {
        var asked = new RepairRequest("the audit", new RowSelection { Keys = [["1"]] }, "id bigint") { IsDeletes = isDeletes };
        Assert.Equal(isDeletes, Requests.Read(Requests.Add(asked, Now)).IsDeletes);
    }

    [Fact]
    public void they_are_taken_up_in_the_order_in_which_they_were_made()
    {
        string[] files = [.. Enumerable.Range(0, 12).Select(i => Requests.Add(All, Now.AddMinutes(i)))];
        Assert.Equal(files, Requests.Waiting());
    }

    [Fact]
    public void another_streams_request_or_a_torn_one_is_not_followed()
    {
        var file = Requests.Add(All, Now);
        Assert.Throws<FormatException>(() => Of("others").Read(file));
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^9]);
        Assert.Throws<FormatException>(() => Requests.Read(file));
    }

    [Fact]
    public void keys_of_another_key_mean_nothing_and_the_whole_table_is_the_whole_table()
    {
        var table = Orders();
        var keys = new RepairRequest("repair", new RowSelection { Keys = [["1"]] }, "name text");
        Assert.True(keys.IsOfAnotherKey(table));
        Assert.False((keys with { Order = table.Order }).IsOfAnotherKey(table));
        Assert.False((All with { Order = "name text" }).IsOfAnotherKey(table));
        Assert.True((All with { Order = "name text", Behind = new Cursor(null, ["x"]) }).IsOfAnotherKey(table));
    }

    /// <summary>What the last horizon does not have comes with the next window: nobody publishes it twice.</summary>
    [Fact]
    public void only_what_was_published_already_or_should_have_been_is_read()
    {
        var query = new RepairRequest("repair", new RowSelection { Keys = [["1"], ["2"]] }, Orders().Order)
            .ToWindow(At(100, 105, Noon)).Query(Orders());
        Assert.EndsWith(
            "WHERE (NOT (age(xmin) BETWEEN 0 AND age('100'::xid)) OR \"updated_at\" < '2026-03-01 12:00:00.000000+00'::timestamptz) "
            + "AND (\"order_id\") IN (VALUES ('1'::bigint), ('2'::bigint)) ORDER BY \"order_id\"", query);
    }

    [Fact]
    public void a_time_and_a_range_of_keys_are_read_in_the_order_of_the_key()
    {
        var horizon = At(100, 105, null);
        var time = new RepairRequest(
            "recapture", new RowSelection { From = Noon, To = Noon.AddHours(1) }, Orders().Order,
            new Cursor("2026-03-01 12:30:00+00", ["5"])).ToWindow(horizon).Query(Orders());
        Assert.EndsWith(
            "AND (\"order_id\") > ('5'::bigint) AND \"updated_at\" >= '2026-03-01 12:00:00.000000+00'::timestamptz "
            + "AND \"updated_at\" < '2026-03-01 13:00:00.000000+00'::timestamptz ORDER BY \"order_id\"", time);

        var keys = new RepairRequest(
            "recapture", new RowSelection { FirstKey = ["3"], LastKey = ["9"] }, Orders().Order, new Cursor(null, ["5"]))
            .ToWindow(horizon).Query(Orders());
        Assert.EndsWith(
            "AND (\"order_id\") > ('5'::bigint) AND (\"order_id\") >= ('3'::bigint) AND (\"order_id\") <= ('9'::bigint) "
            + "ORDER BY \"order_id\"", keys);
    }

    /// <summary>Capture goes on without it.</summary>
    [Fact]
    public void a_request_that_fails_for_good_or_again_and_again_is_set_aside()
    {
        var requests = Requests;
        var (broken, unlucky) = (requests.Add(All, Now), requests.Add(All, Now.AddMinutes(1)));
        Assert.True(requests.HasFailed(broken, isForGood: true));
        Assert.Equal([unlucky], requests.Waiting());
        Assert.False(requests.HasFailed(unlucky, isForGood: false));
        Assert.False(requests.HasFailed(unlucky, isForGood: false));
        Assert.Equal([unlucky], requests.Waiting());
        Assert.True(requests.HasFailed(unlucky, isForGood: false));
        Assert.Empty(requests.Waiting());
        // Whoever comes next does not meet them either.
        Assert.Empty(Requests.Waiting());
        Assert.Equal([broken + ".failed", unlucky + ".failed"], Directory.GetFiles(Path.GetDirectoryName(broken)!).Order());
    }

    private static RepairRequest All { get; } = new("recapture", new RowSelection(), "");

    private RepairRequests Of(string stream) => new(
        new PipelineOptions
        {
            Kafka = new() { Topic = stream }, Streaming = new() { LastProcessedTimestampLocation = folder.Path },
        },
        CrashPoints.None);
}
