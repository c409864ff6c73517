using OrdersStream.Diagnostics;
using OrdersStream.Rows;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Rows;

public sealed class SchemaStoreTests : IDisposable
{
    private readonly TempFolder folder = new();
    private string SchemaFile => folder["schemas", TestTopic.Orders.Fingerprint + ".json"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void a_schema_is_found_by_its_fingerprint_in_another_process()
    {
        new SchemaStore(folder.Path).Write(TestTopic.Orders);
        Assert.Equal(TestTopic.Orders.ToJson(), new SchemaStore(folder.Path).Read(TestTopic.Orders.Fingerprint).ToJson());
    }

    [Fact]
    public void a_schema_that_is_there_is_not_written_again()
    {
        new SchemaStore(folder.Path).Write(TestTopic.Orders);
        var long_ago = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(SchemaFile, long_ago);
        new SchemaStore(folder.Path).Write(TestTopic.Orders);
        Assert.Equal(long_ago, File.GetLastWriteTimeUtc(SchemaFile));
    }

    [Fact]
    public void a_schema_that_was_altered_is_not_used_and_is_mended_by_its_writer()
    {
        new SchemaStore(folder.Path).Write(TestTopic.Orders);
        var altered = File.ReadAllText(SchemaFile).Replace("status", "state");
        File.WriteAllText(SchemaFile, altered);
        var e = Assert.Throws<PipelineException>(() => new SchemaStore(folder.Path).Read(TestTopic.Orders.Fingerprint));
        Assert.Equal(FailureAction.Stop, e.Action);
        Assert.Contains(SchemaFile, e.Problem);

        new SchemaStore(folder.Path).Write(TestTopic.Orders);
        Assert.Equal(TestTopic.Orders.ToJson(), new SchemaStore(folder.Path).Read(TestTopic.Orders.Fingerprint).ToJson());
    }

    [Theory]
    [InlineData("0123456789abcdef", true)]
    [InlineData("0123456789ABCDEF", false)]
    [InlineData("0123456789abcde", false)]
    [InlineData("../../../passwd1", false)]
    public void only_a_fingerprint_is_looked_for(string header, bool expected) =>
        Assert.Equal(expected, SchemaStore.IsFingerprint(System.Text.Encoding.ASCII.GetBytes(header)));
}
