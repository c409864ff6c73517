using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

public sealed class QuarantineCausesTests : IDisposable
{
    private readonly TempFolder lake = new();

    public void Dispose() => lake.Dispose();

    private void Write(string name, params string[] lines)
    {
        var folder = Directory.CreateDirectory(Path.Combine(lake.Path, LakePath.QuarantineFolder)).FullName;
        File.WriteAllLines(Path.Combine(folder, name), lines);
    }

    [Fact]
    public void without_a_quarantine_there_is_no_cause() => Assert.Empty(new QuarantineCauses().Read(new LakeFolder(lake.Path)));

    [Fact]
    public void causes_are_counted_over_all_files_and_the_most_frequent_comes_first()
    {
        Write("quarantine-0-1-2.jsonl", """{"reason":"no JSON"}""", """{"reason":"no object"}""");
        Write("quarantine-1-1-9.jsonl", """{"reason":"no object"}""", "torn {");
        var causes = new QuarantineCauses().Read(new LakeFolder(lake.Path));
        Assert.Equal([("no object", 2L), ("(a line that cannot be read)", 1L), ("no JSON", 1L)], causes.Select(c => (c.Reason, c.Records)));
    }

    [Fact]
    public void new_files_are_counted_and_files_that_are_gone_are_not()
    {
        var causes = new QuarantineCauses();
        Write("quarantine-0-1-1.jsonl", """{"reason":"a"}""");
        causes.Read(new LakeFolder(lake.Path));
        Write("quarantine-0-2-2.jsonl", """{"reason":"b"}""");
        Assert.Equal(["a", "b"], causes.Read(new LakeFolder(lake.Path)).Select(c => c.Reason));
        File.Delete(Path.Combine(lake.Path, LakePath.QuarantineFolder, "quarantine-0-1-1.jsonl"));
        Assert.Equal(["b"], causes.Read(new LakeFolder(lake.Path)).Select(c => c.Reason));
    }
}
