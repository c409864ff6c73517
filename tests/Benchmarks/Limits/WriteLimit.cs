using OrdersStream.Benchmarks.Running;
using Parquet;
using Parquet.Schema;

namespace OrdersStream.Benchmarks.Limits;

/// <summary>The lake's columns from memory to one file, as the Parquet package writes them, Snappy; fsynced.</summary>
internal static class WriteLimit
{
    private const int RowGroupRows = 250_000;

    private static readonly DataField<long> OrderId = new("order_id", false);
    private static readonly DataField<string> Customer = new("customer_name", false);
    private static readonly DataField<string> Restaurant = new("restaurant_name", false);
    private static readonly DataField<string> Item = new("item", false);
    private static readonly DecimalDataField Amount = new("amount", 10, 2, isNullable: false);
    private static readonly DataField<string> Status = new("order_status", false);
    private static readonly DateTimeDataField CreatedAt = new(
        "created_at", DateTimeFormat.Timestamp, isAdjustedToUTC: true, unit: DateTimeTimeUnit.Micros, isNullable: false);
    private static readonly DateTimeDataField UpdatedAt = new(
        "updated_at", DateTimeFormat.Timestamp, isAdjustedToUTC: true, unit: DateTimeTimeUnit.Micros, isNullable: false);
    private static readonly DataField<string> Op = new("_op", false);
    private static readonly DataField<int> Partition = new("_partition", false);
    private static readonly DataField<long> Offset = new("_offset", false);

    public static async Task<LimitResult> RunAsync(LimitTask task, CancellationToken cancellationToken)
    {
        var columns = Columns((int)Math.Min(RowGroupRows, task.Rows));
        // Once for the compiler, whose time is no part of the limit.
        await WriteAsync(new MemoryStream(), columns, Math.Min(1_000, task.Rows), cancellationToken);
        var operation = new OperationTime();
        await using var file = File.Create(task.File!);
        await WriteAsync(file, columns, task.Rows, cancellationToken);
        file.Flush(flushToDisk: true);
        return operation.End(task.Rows, file.Length);
    }

    private static async Task WriteAsync(Stream file, OrderColumns columns, long rowCount, CancellationToken cancellationToken)
    {
        var schema = new ParquetSchema(OrderId, Customer, Restaurant, Item, Amount, Status, CreatedAt, UpdatedAt, Op, Partition, Offset);
        var options = new ParquetOptions { CompressionMethod = CompressionMethod.Snappy };
        await using var writer = await ParquetWriter.CreateAsync(schema, file, options, cancellationToken: cancellationToken);
        for (var rows = 0L; rows < rowCount; rows += columns.Ids.Length)
            await WriteGroupAsync(writer, columns, (int)Math.Min(columns.Ids.Length, rowCount - rows), cancellationToken);
    }

    private static async Task WriteGroupAsync(ParquetWriter writer, OrderColumns c, int rows, CancellationToken cancellationToken)
    {
        using var group = writer.CreateRowGroup();
        await Write(OrderId, c.Ids);
        await WriteText(Customer, c.Customers);
        await WriteText(Restaurant, c.Restaurants);
        await WriteText(Item, c.Items);
        await Write(Amount, c.Amounts);
        await WriteText(Status, c.Statuses);
        await Write(CreatedAt, c.Created);
        await Write(UpdatedAt, c.Updated);
        await WriteText(Op, c.Ops);
        await Write(Partition, c.Partitions);
        await Write(Offset, c.Ids);
        group.CompleteValidate();

        Task Write<T>(DataField field, T[] values) where T : struct =>
            group.WriteAsync<T>(field, values.AsMemory(0, rows), cancellationToken: cancellationToken);

        Task WriteText(DataField field, string[] values) => group.WriteAsync(field, new ArraySegment<string>(values, 0, rows));
    }

    private static OrderColumns Columns(int rows)
    {
        var ids = Enumerable.Range(1, rows).Select(n => (long)n).ToArray();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new(
            ids, [.. ids.Select(Orders.Customer)], [.. ids.Select(Orders.Restaurant)], [.. ids.Select(Orders.Item)],
            [.. ids.Select(Orders.Amount)], [.. ids.Select(Orders.Status)],
            [.. ids.Select(_ => now)], [.. ids.Select(n => now.AddTicks(-10 * n))], [.. ids.Select(_ => "upsert")], new int[rows]);
    }

    private sealed record OrderColumns(
        long[] Ids, string[] Customers, string[] Restaurants, string[] Items, decimal[] Amounts, string[] Statuses, DateTime[] Created,
        DateTime[] Updated, string[] Ops, int[] Partitions);
}
