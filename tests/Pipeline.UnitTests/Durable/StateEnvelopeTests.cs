using System.Text;
using CsCheck;
using OrdersStream.Capture;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake;
using OrdersStream.Postgres;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Durable;

public sealed class StateEnvelopeTests
{
    private static readonly byte[] Sealed = StateEnvelope.Seal(3, "orders", json =>
    {
        json.WriteString("name", "größer, \"checksum\": \"x\"");
        json.WriteNumber("count", 7);
    });

    [Fact]
    public void version_and_owner_come_first_and_the_checksum_last()
    {
        var text = Encoding.UTF8.GetString(Sealed);
        Assert.StartsWith("{\n  \"version\": 3,\n  \"owner\": \"orders\",\n  \"name\": ", text);
        Assert.Matches("\"count\": 7,\n  \"checksum\": \"[0-9a-f]{16}\"\n}\n$", text);
    }

    [Fact]
    public void what_was_sealed_is_read_back()
    {
        using var document = StateEnvelope.Open(Sealed, 3, "orders", isSealed: true);
        Assert.Equal(7, document.RootElement.GetProperty("count").GetInt32());
        Assert.Equal("größer, \"checksum\": \"x\"", document.RootElement.GetProperty("name").GetString());
    }

    [Fact]
    public void a_file_that_was_cut_or_altered_anywhere_is_refused()
    {
        for (var length = 0; length < Sealed.Length; length++) Refused(Sealed[..length]);
        Gen.Select(Gen.Int[0, Sealed.Length - 1], Gen.Byte).Where((at, value) => Sealed[at] != value)
            .Sample((at, value) => Refused([.. Sealed[..at], value, .. Sealed[(at + 1)..]]), iter: 2_000, threads: 1);
    }

    [Fact]
    public void another_version_and_another_owner_are_told()
    {
        Assert.Equal("it is of format version 3, and this program reads versions 1 to 2", Refused(Sealed, version: 2));
        Assert.Equal("it belongs to the stream 'orders', and this is 'payments'", Refused(Sealed, owner: "payments"));
    }

    [Fact]
    public void a_file_of_an_earlier_version_of_the_program_has_no_owner_and_maybe_no_checksum()
    {
        var old = """{ "version": 1, "count": 7 }"""u8.ToArray();
        using var document = StateEnvelope.Open(old, 1, "orders");
        Assert.Equal(7, document.RootElement.GetProperty("count").GetInt32());
        var refusal = Assert.Throws<FormatException>(() => StateEnvelope.Open(old, 1, isSealed: true));
        Assert.Equal("its content does not match its checksum", refusal.Message);
    }

    [Fact]
    public void a_file_with_an_owner_and_no_checksum_was_altered()
    {
        var text = Encoding.UTF8.GetString(Sealed);
        var cut = Encoding.UTF8.GetBytes(text[..text.LastIndexOf(",\n  \"checksum\"", StringComparison.Ordinal)] + "\n}\n");
        var refusal = Assert.Throws<FormatException>(() => StateEnvelope.Open(cut, 3));
        Assert.Equal("its content does not match its checksum", refusal.Message);
    }

    [Fact]
    public void an_editors_preamble_is_passed_over_where_there_is_no_checksum()
    {
        byte[] preamble = [.. Encoding.UTF8.Preamble];
        StateEnvelope.Open([.. preamble, .. """{ "version": 1 }"""u8], 1).Dispose();
        Refused([.. preamble, .. Sealed]);
    }

    [Fact]
    public void every_state_file_has_the_envelope()
    {
        var topic = new TopicIdentity("cluster", "orders", "id");
        var source = new SourceIdentity("1", "00000001", "food", "public.orders", 16_384);
        var entry = new CommitEntry(1, "w", DateTimeOffset.UnixEpoch, topic, 0, 0, 1, [], [], PartitionState.Empty);
        byte[][] files =
        [
            Watermark.Start(source, topic).ToStateFile(), CommitEntryFormat.Write(entry), TestTopic.Orders.ToStateFile("orders"),
        ];
        foreach (var file in files) StateEnvelope.Open(file, 3, "orders", isSealed: true).Dispose();
    }

    private static string Refused(byte[] file, int version = 3, string owner = "orders") =>
        Assert.Throws<FormatException>(() => StateEnvelope.Open(file, version, owner, isSealed: true)).Message;
}
