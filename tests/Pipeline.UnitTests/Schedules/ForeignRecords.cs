using System.Globalization;
using System.Text;
using OrdersStream.Kafka;

namespace OrdersStream.UnitTests.Schedules;

/// <summary>What other producers write into the topic: each record has a number of its own, by which it is found again.</summary>
internal sealed class ForeignRecords(ScheduleWorld world)
{
    private const int Kinds = 9;

    private readonly Random random = world.Random;
    private readonly List<(int Partition, object Transaction)> open = [];
    private long next = 1000;

    public bool HasOpen => open.Count > 0;

    /// <summary>Somebody writes, or ends what somebody has begun.</summary>
    public string Write()
    {
        if (open.Count > 0 && random.Next(2) == 0) return End();
        var partition = random.Next(world.Broker.Partitions);
        object? transaction = random.Next(4) == 0 ? new object() : null;
        if (transaction is not null) open.Add((partition, transaction));
        var number = next++;
        world.Broker.Append(partition, Make(number), transaction);
        var how = transaction is null ? "" : ", in a transaction";
        return $"foreign record {number} in {partition} at {world.Broker.End(partition) - 1}{how}";
    }

    /// <summary>Others write until the partition ends where it did.</summary>
    public string FillUp(int partition, long end)
    {
        while (world.Broker.End(partition) < end)
            world.Broker.Append(partition, new Message(
                Encoding.UTF8.GetBytes(ScheduleWorld.Text(next)), new RowVersion(next++, 1, 1).ValueBytes, null));
        return $"others' records fill partition {partition} up to {end}";
    }

    public string End()
    {
        var i = random.Next(open.Count);
        var (partition, transaction) = open[i];
        open.RemoveAt(i);
        var commit = random.Next(3) > 0;
        world.Broker.Mark(partition, transaction, commit);
        return $"a foreign transaction in {partition} is {(commit ? "committed" : "aborted")}";
    }

    /// <summary>The number of a record that is one of these; null: it is none.</summary>
    public static long? NumberIn(string text)
    {
        var digits = new string([.. text.SkipWhile(c => !char.IsDigit(c)).TakeWhile(char.IsDigit)]);
        return long.TryParse(digits, out var number) && number >= 1000 ? number : null;
    }

    // A page of another stream, one below all of ours, or above; the second form is that of earlier versions.
    private StreamHeader Name()
    {
        var page = random.Next(2) == 0 ? random.Next(1, 9) : 1L << 52;
        var stream = random.Next(2) == 0 ? ":invoices" : "";
        return new("page-name", Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{page}:x{stream}")));
    }

    private Message Make(long number)
    {
        var key = Encoding.UTF8.GetBytes(ScheduleWorld.Text(number));
        var row = new RowVersion(number, 1, 1).ValueBytes;
        return random.Next(Kinds) switch
        {
            0 => new Message(key, row, [new StreamHeader("op", "delete"u8.ToArray())]),
            1 => new Message(key, row, [new StreamHeader("traceparent", "00-1"u8.ToArray()), new StreamHeader("page", "x"u8.ToArray())]),
            2 => new Message(key, Encoding.UTF8.GetBytes($"no row {number}"), null),
            3 => new Message(key, null, null),
            4 => new Message(key, row, [Name()]),
            5 => new Message(key, row, [new StreamHeader("position", "{}"u8.ToArray())]),
            _ => new Message(key, row, null),
        };
    }
}
