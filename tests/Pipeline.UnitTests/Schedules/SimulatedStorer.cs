using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Store;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>One process of the product's own storing half: records are delivered to it in cuts of any kind,
/// or it reads on by itself.</summary>
internal sealed class SimulatedStorer(ScheduleWorld world, string name)
{
    private readonly Random random = world.Random;
    private readonly Dictionary<int, long> group = [];
    private readonly Dictionary<int, long> positions = [];
    private KafkaToLake? half;
    private LakeBatch? reading;
    private int stepsLeft = -1;

    /// <summary>The next batch is delivered to it, mostly from where the last one ended.</summary>
    public async Task<string> StoreDeliveredAsync()
    {
        var records = new List<StreamRecord>();
        for (var p = 0; p < world.Broker.Partitions; p++)
        {
            if (random.Next(3) == 0) continue;
            var from = Math.Max(0, group.GetValueOrDefault(p) + (random.Next(4) == 0 ? random.Next(-12, 6) : 0));
            records.AddRange(world.Broker.Read(p, from).Take(random.Next(1, 12)));
            // Whoever delivers may leave out anything.
            if (random.Next(4) == 0) records.RemoveAll(_ => random.Next(6) == 0);
        }
        var cut = Mix(records);
        var ranges = cut.GroupBy(r => r.Partition).Select(g => $"{g.Key}:{g.First().Offset}-{g.Last().Offset}");
        var what = $"{name} is given {string.Join(", ", ranges)}";
        if (random.Next(8) == 0) stepsLeft = random.Next(8);
        try
        {
            half ??= NewHalf();
            await half.StoreAsync(cut, CancellationToken.None);
            foreach (var record in cut) group[record.Partition] = record.Offset + 1;
            return what;
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"{what}: {e.Message}";
        }
    }

    /// <summary>Its own consumer reads on, and commits at times.</summary>
    public async Task<string> ReadOnAsync(bool all = false)
    {
        if (!all && random.Next(8) == 0) stepsLeft = random.Next(8);
        var before = string.Join(", ", positions.Select(p => $"{p.Key}:{p.Value}"));
        try
        {
            half ??= NewHalf();
            reading ??= await half.OpenBatchAsync(CancellationToken.None, readsInOrder: true);
            for (var p = 0; p < world.Broker.Partitions; p++)
            {
                if (!positions.ContainsKey(p)) positions[p] = await reading.NextOffsetAsync(p, CancellationToken.None);
                if (positions[p] > world.Broker.End(p)) throw new SessionEndedException("offset out of range");
                foreach (var record in world.Broker.Read(p, positions[p]).Take(all ? int.MaxValue : random.Next(8)))
                {
                    if (!all && CanTell && IsInside(in record) && random.Next(4) == 0)
                    {
                        world.Saw($"{name} is not given {record.Partition}:{record.Offset}");
                        continue;
                    }
                    if (!reading.TryAdd(record)) await reading.AddAsync(record, CancellationToken.None);
                    positions[p] = record.Offset + 1;
                }
            }
            if (all || random.Next(2) == 0)
            {
                var outcome = await reading.CommitAsync(CancellationToken.None);
                foreach (var (partition, next) in outcome.Superseded) positions[partition] = next;
            }
            return $"{name} reads on from {before}";
        }
        catch (Exception e) when (IsExpected(e))
        {
            return $"{name} reads on from {before}: {e.Message}";
        }
    }

    /// <summary>Everything that it holds, and that waits for the end of a page which may never come.</summary>
    public long? WaitingFrom(int partition) => reading?.WaitingFrom(partition);

    /// <summary>All was read.</summary>
    public bool HasReadAll =>
        reading is not null && Enumerable.Range(0, world.Broker.Partitions)
            .All(p => positions.TryGetValue(p, out var at) && !world.Broker.Read(p, at).Any());

    public void Stop()
    {
        half?.Dispose();
        (half, reading, stepsLeft) = (null, null, -1);
        positions.Clear();
        // What a platform's group was told last may be old.
        foreach (var p in group.Keys.ToList()) group[p] = Math.Max(0, group[p] - random.Next(6));
    }

    // Where records do not name their page, one of somebody else would make up for it.
    private bool CanTell => !(world.IsTransactional && world.HasForeign);

    // Neither the first nor the last of its page: only the count of its records tells that it is missing.
    private static bool IsInside(in StreamRecord record) =>
        record.Key is { } key && ForeignRecords.NumberIn(Encoding.UTF8.GetString(key)) is null
        && record.Headers?.Any(h => h.Name is StreamHeader.Page or StreamHeader.PageEnd) != true;

    private KafkaToLake NewHalf() => world.NewStorer(new CrashPoints(_ =>
    {
        if (stepsLeft >= 0 && Interlocked.Decrement(ref stepsLeft) == -1) throw new CrashException();
    }));

    // The process is gone, or tries again by itself; what a human would have to look at is a failure of the schedule.
    private bool IsExpected(Exception e)
    {
        if (e is AggregateException { InnerException: { } inner }) e = inner;
        switch (e)
        {
            case CrashException:
                Stop();
                return true;
            case SessionEndedException or PipelineException { Verdict.Action: FailureAction.Retry }:
                reading = null;
                positions.Clear();
                return true;
            case PipelineException { Verdict.Action: FailureAction.Stop } stop when world.AcceptsLoss(stop.Remedy):
                Stop();
                return true;
            default:
                return false;
        }
    }

    private List<StreamRecord> Mix(List<StreamRecord> records)
    {
        var queues = records.GroupBy(r => r.Partition).Select(g => new Queue<StreamRecord>(g)).ToList();
        var mixed = new List<StreamRecord>(records.Count);
        while (queues.Count > 0)
        {
            var i = random.Next(queues.Count);
            mixed.Add(queues[i].Dequeue());
            if (queues[i].Count == 0) queues.RemoveAt(i);
        }
        return mixed;
    }
}
