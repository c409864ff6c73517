using Npgsql;

namespace OrdersStream.Demo.Traffic;

/// <summary>The everyday traffic: several clients place orders and move them on until they are delivered or cancelled.</summary>
internal sealed class OrderTraffic(
    NpgsqlDataSource database, OrderTable table, int ordersPerSecond, DemoProgress progress, TimeProvider time)
{
    private const int Clients = 4;
    private const double CancelledShare = 0.06;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(50);

    public Task PlayAsync(TimeSpan duration, CancellationToken cancellationToken) =>
        Task.WhenAll(Enumerable.Range(0, Clients).Select(client => PlayClientAsync(client, duration, cancellationToken)));

    private async Task PlayClientAsync(int client, TimeSpan duration, CancellationToken cancellationToken)
    {
        var random = new Random(client);
        var underWay = new PriorityQueue<(long Id, string Status), TimeSpan>();
        var rate = (double)ordersPerSecond / Clients;
        var begun = time.GetTimestamp();
        var placed = 0;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        using var timer = new PeriodicTimer(Tick, time);
        while (await timer.WaitForNextTickAsync(cancellationToken) && time.GetElapsedTime(begun) is var now && now < duration)
        {
            var due = (int)(rate * now.TotalSeconds) - placed;
            var changes = Due(underWay, now);
            if (due <= 0 && changes.Count == 0) continue;

            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var ids = due > 0 ? await table.PlaceAsync(connection, due, random, cancellationToken) : [];
            if (changes.Count > 0) await table.ChangeStatusAsync(connection, changes, cancellationToken);
            await transaction.CommitAsync(cancellationToken);

            foreach (var id in ids) Schedule(underWay, id, "PLACED", now, random);
            foreach (var (id, status) in changes) Schedule(underWay, id, status, now, random);
            placed += ids.Count;
            progress.Written(ids.Count, changes.Count);
        }
    }

    private static List<(long Id, string Status)> Due(PriorityQueue<(long Id, string Status), TimeSpan> underWay, TimeSpan now)
    {
        var due = new List<(long, string)>();
        while (underWay.TryPeek(out _, out var at) && at <= now) due.Add(underWay.Dequeue());
        return due;
    }

    private static void Schedule(PriorityQueue<(long, string), TimeSpan> underWay, long id, string status, TimeSpan now, Random random)
    {
        var next = status switch
        {
            "PLACED" => random.NextDouble() < CancelledShare ? "CANCELLED" : "PREPARING",
            "PREPARING" => random.NextDouble() < CancelledShare ? "CANCELLED" : "OUT_FOR_DELIVERY",
            "OUT_FOR_DELIVERY" => "DELIVERED",
            _ => null,
        };
        if (next is not null) underWay.Enqueue((id, next), now + TimeSpan.FromSeconds(0.4 + 2.6 * random.NextDouble()));
    }
}
