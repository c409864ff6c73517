using System.Collections.Concurrent;
using OrdersStream.Capture;
using OrdersStream.Store;

namespace OrdersStream.Demo.Traffic;

/// <summary>What happened so far; counted by the clients and the two halves, read by the view.</summary>
internal sealed class DemoProgress(TimeProvider time, TimeSpan planned)
{
    private readonly long begun = time.GetTimestamp();
    private readonly ConcurrentQueue<string> notes = [];
    private long orders, changes, published, stored, files;
    private int polls;

    public TimeSpan Planned { get; } = planned;
    public TimeSpan Elapsed => time.GetElapsedTime(begun);

    /// <summary>Polls of the table that came to their end.</summary>
    public int Polls => Volatile.Read(ref polls);

    public DemoFigures Figures => new(
        Elapsed, Interlocked.Read(ref orders), Interlocked.Read(ref changes),
        Interlocked.Read(ref published), Interlocked.Read(ref stored), Interlocked.Read(ref files));

    public void Written(int newOrders, int statusChanges)
    {
        Interlocked.Add(ref orders, newOrders);
        Interlocked.Add(ref changes, statusChanges);
    }

    public void Polled(PollResult poll)
    {
        Interlocked.Add(ref published, poll.Rows);
        Interlocked.Increment(ref polls);
    }

    public void Stored(BatchResult batch)
    {
        Interlocked.Add(ref stored, batch.Rows);
        Interlocked.Add(ref files, batch.Files);
    }

    /// <summary>A line for whoever watches.</summary>
    public void Note(string line) => notes.Enqueue(line);

    public bool TryTakeNote(out string line) => notes.TryDequeue(out line!);
}

/// <summary>The figures at one moment.</summary>
/// <param name="Elapsed">Since the traffic began.</param>
/// <param name="Orders">Orders placed.</param>
/// <param name="Changes">Status changes.</param>
/// <param name="Published">Row versions in Kafka.</param>
/// <param name="Stored">Rows in the lake.</param>
/// <param name="Files">Files in the lake.</param>
internal readonly record struct DemoFigures(TimeSpan Elapsed, long Orders, long Changes, long Published, long Stored, long Files);
