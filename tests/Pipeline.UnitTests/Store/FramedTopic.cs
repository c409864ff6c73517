using OrdersStream.Kafka;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Store;

/// <summary>What publishers without transactions send to one partition of a <see cref="TestTopic"/>, one record after the other.</summary>
internal static class FramedTopic
{
    private const string Stream = "orders";

    /// <summary>The records of a page's part: each names its page.</summary>
    public static StreamHeader[][] Part(long page, string publisher, int rows, long previous = 0, params int[] partitions)
    {
        var frame = new PageFrame(
            Stream, page, publisher, partitions is [] ? [0] : partitions, 4, null, isNamed: true, TestTopic.Orders);
        return
        [
            .. Enumerable.Range(0, rows).Select(i => (StreamHeader[])
            [
                .. i == 0 ? [new(StreamHeader.Page, frame.Start(rows, previous))] : Array.Empty<StreamHeader>(),
                .. i == rows - 1 ? [new(StreamHeader.PageEnd, frame.End(rows))] : Array.Empty<StreamHeader>(),
                .. i > 0 && i < rows - 1 ? [new(StreamHeader.PageName, frame.Name)] : Array.Empty<StreamHeader>(),
            ]),
        ];
    }

    public static StreamHeader Fence(long number, string publisher) =>
        new(StreamHeader.Fence, new PageFence(number, publisher).ToHeader(Stream));

    public static void Send(this TestTopic topic, params IEnumerable<StreamHeader[]> records)
    {
        foreach (var headers in records) topic.Produce(0, TestTopic.Row(7), headers);
    }

    public static void SendFence(this TestTopic topic, long number, string publisher) =>
        topic.Produce(0, null, [Fence(number, publisher)], key: null);
}
