using OrdersStream.Capture;
using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// How wide the rows are that were captured last, as many as one batch has: where a batch of them would be larger than what reaches the
/// worker, capture stops before the topic is full of such.
/// </summary>
internal sealed class BatchWidth(BatchLimit limit)
{
    /// <summary>A few large rows say nothing of a batch.</summary>
    private readonly int rowsMin = Math.Min(limit.Records, 1_000);

    private readonly Queue<(long Rows, long Bytes)> polls = new();
    private long rows, bytes;

    /// <exception cref="PipelineException">
    /// Rows have grown beyond what a batch may have; that stays so until the worker is started again.
    /// </exception>
    public void Check()
    {
        if (rows >= rowsMin) limit.Check((double)bytes / rows);
    }

    public void Polled(PollResult poll)
    {
        if (poll.Rows == 0) return;
        polls.Enqueue((poll.Rows, poll.Bytes));
        (rows, bytes) = (rows + poll.Rows, bytes + poll.Bytes);
        while (rows - polls.Peek().Rows >= limit.Records)
        {
            var oldest = polls.Dequeue();
            (rows, bytes) = (rows - oldest.Rows, bytes - oldest.Bytes);
        }
    }
}
