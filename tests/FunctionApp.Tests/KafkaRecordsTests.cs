using Microsoft.Azure.Functions.Worker;

namespace OrdersStream.FunctionApp.Tests;

public sealed class KafkaRecordsTests
{
    [Fact]
    public void a_record_is_taken_over_without_a_copy_of_its_bytes()
    {
        var record = new KafkaRecord
        {
            Topic = "t", Partition = 3, Offset = 1L << 40, Key = [1], Value = [2, 3],
            Timestamp = new KafkaTimestamp { UnixTimestampMs = 1_760_000_000_000 },
            Headers = [new KafkaHeader { Key = "schema", Value = [4] }, new KafkaHeader { Key = "empty", Value = null! }],
        };
        var records = new KafkaRecords([new(), record]);
        Assert.Equal(2, records.Count);
        var ours = records[1];
        Assert.Equal(records, [records[0], ours], (a, b) => ReferenceEquals(a.Value, b.Value));
        Assert.Equal((3, 1L << 40, 1_760_000_000_000), (ours.Partition, ours.Offset, ours.TimestampMs));
        Assert.Same(record.Key, ours.Key);
        Assert.Same(record.Value, ours.Value);
        Assert.Equal(["schema", "empty"], ours.Headers!.Select(h => h.Name));
        Assert.Same(record.Headers[0].Value, ours.Headers![0].Value);
        Assert.Null(ours.Headers[1].Value);
    }

    [Fact]
    public void what_the_host_leaves_out_is_null()
    {
        KafkaRecord[] records = [new() { Topic = "t", Headers = [] }, new() { Topic = "t" }];
        Assert.All(new KafkaRecords(records), r => Assert.Equal((null, null, 0L, null), (r.Key, r.Value, r.TimestampMs, r.Headers)));
    }
}
