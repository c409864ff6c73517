using Npgsql;

namespace OrdersStream.Demo.Traffic;

/// <summary>What one of the hard transactions must lead to.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Arrive">Orders that must be in the lake.</param>
/// <param name="StayAway">Orders that must not.</param>
/// <param name="Remark">What made it hard.</param>
internal sealed record HardTransaction(string Name, IReadOnlyList<long> Arrive, IReadOnlyList<long> StayAway, string Remark);

/// <summary>Transactions that a capture by timestamp gets wrong unless it is made with care. Each stays open while polls go by.</summary>
internal sealed class HardTransactions(NpgsqlDataSource database, OrderTable table, DemoProgress progress, TimeProvider time)
{
    private const int PollsToStayOpen = 3;
    private const int OrdersWithOneTimestamp = 50;

    public async Task<IReadOnlyList<HardTransaction>> PlayAsync(CancellationToken cancellationToken) => await Task.WhenAll(
        LateCommitAsync(cancellationToken), SavepointAsync(cancellationToken),
        RollbackAsync(cancellationToken), OneTimestampAsync(cancellationToken));

    /// <summary>Its rows are older than much that was captured before it committed.</summary>
    private async Task<HardTransaction> LateCommitAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var ids = await table.PlaceAsync(connection, 3, new Random(1), cancellationToken);
        var polls = await StayOpenAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        progress.Written(ids.Count, 0);
        return new("late commit", ids, [], $"{ids.Count} orders, committed after {polls} polls had gone by");
    }

    /// <summary>What is written behind a savepoint bears a transaction id of its own, which no snapshot lists.</summary>
    private async Task<HardTransaction> SavepointAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var random = new Random(2);
        var before = await table.PlaceAsync(connection, 1, random, cancellationToken);
        await transaction.SaveAsync("kept", cancellationToken);
        var kept = await table.PlaceAsync(connection, 2, random, cancellationToken);
        await transaction.ReleaseAsync("kept", cancellationToken);
        await transaction.SaveAsync("undone", cancellationToken);
        var undone = await table.PlaceAsync(connection, 2, random, cancellationToken);
        await transaction.RollbackAsync("undone", cancellationToken);
        var polls = await StayOpenAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        progress.Written(before.Count + kept.Count, 0);
        return new(
            "savepoints", [.. before, .. kept], undone,
            $"{before.Count + kept.Count} orders kept, {undone.Count} rolled back to a savepoint, {polls} polls");
    }

    private async Task<HardTransaction> RollbackAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var ids = await table.PlaceAsync(connection, 5, new Random(3), cancellationToken);
        await StayOpenAsync(cancellationToken);
        await transaction.RollbackAsync(cancellationToken);
        return new("rollback", [], ids, $"{ids.Count} orders that were never committed");
    }

    /// <summary>No timestamp lies between two of its rows: a position that is only a timestamp loses some or repeats some.</summary>
    private async Task<HardTransaction> OneTimestampAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var ids = await table.LoadWithOneTimestampAsync(connection, OrdersWithOneTimestamp, cancellationToken);
        progress.Written(ids.Count, 0);
        return new("equal timestamps", ids, [], $"{ids.Count} orders with the very same updated_at");
    }

    private async Task<int> StayOpenAsync(CancellationToken cancellationToken)
    {
        var first = progress.Polls;
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50), time);
        while (progress.Polls < first + PollsToStayOpen) await timer.WaitForNextTickAsync(cancellationToken);
        return progress.Polls - first;
    }
}
