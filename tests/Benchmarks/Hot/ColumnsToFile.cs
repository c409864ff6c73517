using BenchmarkDotNet.Attributes;
using OrdersStream.Configuration;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Benchmarks.Hot;

/// <summary>The encoded pages of a batch to a Parquet file in memory.</summary>
[MemoryDiagnoser]
public class ColumnsToFile
{
    private static readonly Dictionary<string, string> NoFooter = [];

    private readonly ColumnBatch batch = new(OrderBytes.Schema, new DataPageEncoder(new DatalakeOptions()));
    private readonly MemoryStream file = new();

    public ColumnsToFile()
    {
        var (decoder, row, messages) = (new MessageDecoder(OrderBytes.Schema), new DecodedRow(OrderBytes.Schema), OrderBytes.Messages());
        for (var i = 0; i < messages.Length; i++)
        {
            decoder.Decode(messages[i], row);
            batch.Append(row, 0, i, "upsert", 1);
        }
        batch.Finish();
    }

    [Benchmark(OperationsPerInvoke = OrderBytes.Count)]
    public async Task<long> Write()
    {
        file.SetLength(0);
        await ParquetFileWriter.WriteAsync(file, batch, NoFooter, CancellationToken.None);
        return file.Length;
    }
}
