using System.Text;
using OrdersStream.Lake;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>
/// A name in the lake is read back as what gave it, any other is none of ours, and no text becomes a name that leads elsewhere.
/// </summary>
public sealed class NameFuzzTests
{
    private const string Target = "name";

    public static TheoryData<string> Corpus => [.. Fuzzer.Corpus(Target).Select(f => Path.GetFileName(f))];

    [Theory, MemberData(nameof(Corpus))]
    public void each_kept_name_is_ours_or_not(string name) =>
        Check(File.ReadAllBytes(Fuzzer.Corpus(Target).Single(f => Path.GetFileName(f) == name)));

    [Fact]
    public Task a_name_is_ours_or_not() => new Fuzzer(Target, Check)
    {
        Words = ["part-", "quarantine-", ".parquet", ".jsonl", ".tmp", "0", "-", "2147483647", "/", "..", ".", "CON",
            "__HIVE_DEFAULT_PARTITION__", "%2F", "%5F"],
    }.RunAsync();

    private static string Check(byte[] input)
    {
        var name = Encoding.UTF8.GetString(input);
        var isData = LakePath.TryParse(name, out var file);
        if (isData) Assert.Equal(name[(name.LastIndexOf('/') + 1)..], LakePath.Final("", file));
        var isTemporary = LakePath.TryParseTemporary(name, "w", out var hidden);
        if (isTemporary) Assert.StartsWith($".{LakePath.Final("", hidden)}.w", name, StringComparison.Ordinal);
        Assert.False(isData && isTemporary);
        IsOneHarmlessName(PathSegment.OfPartition("column", input));
        IsOneHarmlessName(PathSegment.Encode(name));
        return $"{isData} {isTemporary} {file.Kind}";
    }

    private static void IsOneHarmlessName(string segment)
    {
        Assert.InRange(Encoding.UTF8.GetByteCount(segment), segment.Contains('=') ? 1 : 0, 255);
        Assert.DoesNotContain(segment, c => c is '/' or '\\' or '\0' or ':' or > '~' or < ' ');
        Assert.False(segment.StartsWith('.') || segment.EndsWith('.') || segment.EndsWith(' '), segment);
    }
}
