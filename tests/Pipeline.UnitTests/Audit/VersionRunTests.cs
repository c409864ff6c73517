using CsCheck;
using OrdersStream.Audit;

namespace OrdersStream.UnitTests.Audit;

public sealed class VersionRunTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Of few keys, so that there are many versions of each; and of more than fit into a block.</summary>
    [Fact]
    public void it_finds_the_newest_version_of_each_key_and_no_other()
    {
        var versions = Gen.Select(Gen.Int[0, 400], Gen.Long[0, 20], Gen.Long[0, 1000], (key, number, offset) =>
            new IndexedVersion { Key = (UInt128)key << 100, Number = number, Offset = offset });
        versions.Array[0, 1000].Sample(all =>
        {
            var newest = all.GroupBy(v => v.Key).ToDictionary(g => g.Key, g => g.Max(v => (v.Number, v.Offset)));
            using var run = VersionRun.Write(folder.Path, all.Order(Comparer<IndexedVersion>.Create(IndexedVersion.Compare)));
            Assert.Equal(newest.Count, run.Count);
            for (var key = -1; key <= 401; key++)
            {
                var wanted = (UInt128)(uint)key << 100;
                var place = run.Find(wanted, out var found);
                Assert.Equal(newest.ContainsKey(wanted), place >= 0);
                if (place >= 0) Assert.Equal((wanted, newest[wanted]), (found.Key, (found.Number, found.Offset)));
            }
            Assert.Equal(newest.Keys.Order(), run.ReadAll().Select(v => v.Key));
        }, iter: 200);
    }

    [Fact]
    public void nothing_of_it_stays_in_its_folder()
    {
        using var run = VersionRun.Write(folder.Path, [new IndexedVersion { Key = 7 }]);
        Assert.Equal(0, run.Find(7, out _));
        Assert.True(OperatingSystem.IsWindows() || Directory.GetFiles(folder.Path) is []);
    }
}
