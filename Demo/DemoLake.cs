using System.Text;
using System.Text.Json;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Demo;

/// <summary>What a reader of the demonstration's Parquet files finds.</summary>
/// <param name="Orders">Ids of the orders.</param>
/// <param name="Newest">A few of the newest rows, as text by column.</param>
/// <param name="Files">Parquet files.</param>
/// <param name="Bytes">Their size.</param>
internal sealed record DemoLake(
    IReadOnlySet<long> Orders, IReadOnlyList<IReadOnlyList<string>> Newest, IReadOnlyList<string> Files, long Bytes)
{
    public static readonly string[] Columns = ["order_id", "customer_name", "item", "amount", "order_status", "updated_at"];
    private const int RowsShown = 5;

    public static async Task<DemoLake> ReadAsync(DemoFolder folder, CancellationToken cancellationToken)
    {
        var lake = new LakeFolder(folder.Lake);
        var files = LakeReader.Files(lake).ToList();
        var reader = new LakeReader(lake, new SchemaStore(folder.Checkpoints).Read);
        var orders = new HashSet<long>();
        var newest = new PriorityQueue<IReadOnlyList<string>, long>();
        foreach (var file in files)
            await foreach (var row in reader.ReadAsync(file, cancellationToken))
            {
                var schema = row.Row.Schema;
                orders.Add(row.Row.Cells[schema.IndexOf("order_id")].Bits);
                var updated = row.Row.Cells[schema.TimestampColumn].Bits;
                if (newest.Count == RowsShown && newest.TryPeek(out _, out var oldest) && updated <= oldest) continue;
                newest.Enqueue([.. Columns.Select(c => Text(row.Row, schema.IndexOf(c)))], updated);
                if (newest.Count > RowsShown) newest.Dequeue();
            }
        return new DemoLake(orders, [.. Drained(newest)], [.. files.Select(lake.Locate)], files.Sum(f => lake.Find(f)?.Bytes ?? 0));
    }

    private static IEnumerable<IReadOnlyList<string>> Drained(PriorityQueue<IReadOnlyList<string>, long> rows)
    {
        while (rows.TryDequeue(out var row, out _)) yield return row;
    }

    private static string Text(DecodedRow row, int column)
    {
        var buffer = new ByteBuffer();
        MessageWriter.WriteValue(row.Schema.Columns[column].Type, row, row.Cells[column], buffer);
        using var json = JsonDocument.Parse(Encoding.UTF8.GetString(buffer.Written));
        return json.RootElement.ToString();
    }
}
