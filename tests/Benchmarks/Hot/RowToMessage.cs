using BenchmarkDotNet.Attributes;
using OrdersStream.Memory;
using OrdersStream.Rows;

namespace OrdersStream.Benchmarks.Hot;

/// <summary>One row of a binary COPY to a record's key and value.</summary>
[MemoryDiagnoser]
public class RowToMessage
{
    private readonly byte[] copy = OrderBytes.Copy();
    private readonly MessageEncoder encoder = new(OrderBytes.Schema);
    private readonly ByteBuffer key = new();
    private readonly ByteBuffer value = new();

    [Benchmark(OperationsPerInvoke = OrderBytes.Count)]
    public int Encode()
    {
        var bytes = 0;
        for (var at = 0; at < copy.Length;)
        {
            key.Clear();
            value.Clear();
            at += encoder.Encode(copy.AsSpan(at), key, value);
            bytes += key.Length + value.Length;
        }
        return bytes;
    }
}
