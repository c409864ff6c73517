using BenchmarkDotNet.Attributes;
using OrdersStream.Configuration;
using OrdersStream.ParquetFormat;
using OrdersStream.Rows;

namespace OrdersStream.Benchmarks.Hot;

/// <summary>One record's value to a row, and that to the encoded pages of a file to be.</summary>
[MemoryDiagnoser]
public class MessageToColumns
{
    private readonly byte[][] messages = OrderBytes.Messages();
    private readonly MessageDecoder decoder = new(OrderBytes.Schema);
    private readonly DecodedRow row = new(OrderBytes.Schema);
    private readonly ColumnBatch batch = new(OrderBytes.Schema, new DataPageEncoder(new DatalakeOptions()));

    [Benchmark(OperationsPerInvoke = OrderBytes.Count)]
    public void Decode()
    {
        foreach (var message in messages) decoder.Decode(message, row);
    }

    [Benchmark(OperationsPerInvoke = OrderBytes.Count)]
    public long DecodeAndAppend()
    {
        batch.Clear();
        for (var i = 0; i < messages.Length; i++)
        {
            decoder.Decode(messages[i], row);
            batch.Append(row, 0, i, "upsert", 1);
        }
        batch.Finish();
        return batch.Bytes;
    }
}
