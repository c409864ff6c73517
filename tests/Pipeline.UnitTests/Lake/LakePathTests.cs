using System.Text;
using CsCheck;
using OrdersStream.Lake;

namespace OrdersStream.UnitTests.Lake;

public sealed class LakePathTests
{
    [Fact]
    public void a_final_name_reads_back_and_its_temporary_is_hidden_beside_it() =>
        Gen.Select(
            Gen.Int[0, int.MaxValue], Gen.Long[0, long.MaxValue], Gen.Long[0, long.MaxValue], Gen.Bool).Sample((partition, a, b, data) =>
        {
            var file = new LakeFileName(data ? LakeFileKind.Data : LakeFileKind.Quarantine, partition, Math.Min(a, b), Math.Max(a, b));
            var path = LakePath.Final("order_date=2026-03-01", file);
            Assert.True(LakePath.TryParse(path, out var parsed));
            Assert.Equal(file, parsed);

            var temporary = LakePath.Temporary(path, "0a1b2c3d-99-1");
            Assert.Equal(path[..path.IndexOf('/')], temporary[..temporary.IndexOf('/')]);
            var name = temporary[(temporary.IndexOf('/') + 1)..];
            Assert.StartsWith(".", name);
            Assert.EndsWith(".tmp", name);
            Assert.True(LakePath.TryParseTemporary(name, "0a1b2c3d", out parsed));
            Assert.Equal(file, parsed);
            Assert.False(LakePath.TryParseTemporary(name, "ffffffff", out _));
            Assert.False(LakePath.TryParse(temporary, out _));
        });

    [Theory]
    [InlineData("part-0-0-2.parquet.tmp")]
    [InlineData("part-00-0-2.parquet")]
    [InlineData("part-0-2-1.parquet")]
    [InlineData("part-0--1-2.parquet")]
    [InlineData("part-99999999999-0-2.parquet")]
    [InlineData("part-0-0-99999999999999999999.parquet")]
    [InlineData("xpart-0-0-2.parquet")]
    [InlineData("part-0-0-2.parquet\n")]
    [InlineData("part-0-0-2.jsonl")]
    public void what_is_not_written_so_is_not_ours(string name) => Assert.False(LakePath.TryParse(name, out _));

    [Theory]
    [InlineData("PLACED", "c=PLACED")]
    [InlineData("a b", "c=a%20b")]
    [InlineData("a/b", "c=a%2Fb")]
    [InlineData("..", "c=%2E%2E")]
    [InlineData(".", "c=%2E")]
    [InlineData("v1.2", "c=v1.2")]
    [InlineData("a.", "c=a%2E")]
    [InlineData("50%", "c=50%25")]
    [InlineData("x=y", "c=x%3Dy")]
    [InlineData("é", "c=%C3%A9")]
    [InlineData("", "c=__HIVE_DEFAULT_PARTITION__")]
    [InlineData("__HIVE_DEFAULT_PARTITION__", "c=%5F_HIVE_DEFAULT_PARTITION__")]
    public void values_are_encoded_as_hive_does(string value, string expected) =>
        Assert.Equal(expected, PathSegment.OfPartition("c", Encoding.UTF8.GetBytes(value)));

    [Fact]
    public void no_value_leads_out_of_its_folder_and_different_ones_have_different_folders() =>
        Gen.Select(Gen.String, Gen.Byte.Array[0, 400], Gen.Byte.Array[0, 400]).Sample((column, value, other) =>
        {
            var segment = PathSegment.OfPartition(column, value);
            Assert.Matches(@"\A[A-Za-z0-9_.%-]*=[A-Za-z0-9_.%-]+\z", segment);
            Assert.InRange(segment.Length, 1, 255);
            var root = Path.GetFullPath("/lake");
            Assert.Equal(root, Path.GetDirectoryName(Path.GetFullPath(Path.Combine(root, segment))));
            if (!value.AsSpan().SequenceEqual(other)) Assert.NotEqual(segment, PathSegment.OfPartition(column, other));
        });

    [Fact]
    public void long_values_that_differ_only_at_their_end_have_different_folders()
    {
        var value = Encoding.UTF8.GetBytes(new string('é', 300));
        var segment = PathSegment.OfPartition("c", value);
        Assert.Matches(@"\Ac=(%[0-9A-F]{2})+-[0-9a-f]{16}\z", segment);
        value[^1]++;
        Assert.NotEqual(segment, PathSegment.OfPartition("c", value));
    }
}
