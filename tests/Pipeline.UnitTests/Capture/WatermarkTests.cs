using System.Collections.Immutable;
using System.Text;
using CsCheck;
using OrdersStream.Capture;
using OrdersStream.Diagnostics;
using OrdersStream.Postgres;
using OrdersStream.Rows;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Capture;

public sealed class WatermarkTests
{
    private static readonly Horizon To = At(100, 2000, Noon, [.. Enumerable.Range(100, 900).Select(i => (uint)i), 1500, 1501, 1999]);

    private static Watermark Sample() => Watermark.Start(Source, Topic)
        .Begin(new Window(1, At(90, 95, null), To, Noon, 0, null))
        .Advance(new Cursor("2026-03-01 12:00:00+00", ["1", "o'brien \"x\""]), 7) with
    { Offsets = ImmutableSortedDictionary<int, long>.Empty.Add(0, 17).Add(3, 4) };

    [Fact]
    public void a_watermark_is_read_back_as_it_was_written()
    {
        var written = Sample();
        foreach (var form in new Func<Watermark, byte[]>[] { w => w.ToStateFile(), w => w.ToJson() })
        {
            var json = form(written);
            Assert.Equal(json, form(Watermark.FromJson(json)));
            var read = Watermark.FromJson(json);
            Assert.Equal(written.Window!.Cursor, read.Window!.Cursor);
            Assert.Equal(written.Window.To.Seen, read.Window.To.Seen);
            Assert.Equal(written.Window.To.LowerBound, read.Window.To.LowerBound);
            Assert.Equal(written.Source, read.Source);
            Assert.Equal(written.Topic, read.Topic);
            Assert.Equal(written.Offsets, read.Offsets);
        }
    }

    /// <summary>In the file as in the topic; and a version of this program that knew no deletes reads it.</summary>
    [Fact]
    public void how_far_deletes_are_published_is_read_back()
    {
        var begun = Watermark.Start(Source, Topic).Begin(new Window(1, null, To, null, 0, null));
        Assert.DoesNotContain("deleted", Encoding.UTF8.GetString(begun.ToJson()), StringComparison.Ordinal);
        var after = begun.AdvanceDeletes(new Cursor("17", ["4"]), 3);
        foreach (var read in new[] { Watermark.FromJson(after.ToStateFile()), Watermark.ReadPosition(after.ToPosition())! })
        {
            Assert.Equal((new Cursor("17", ["4"]), null), (read.Window!.Deleted, read.Window.Cursor));
            Assert.Equal((1, 3, 3, 1), (read.Window.Page, read.Window.Rows, read.Rows, read.PageNumber));
            Assert.True(read.Window.IsBeforeRows);
            Assert.False(read.Advance(new Cursor(null, ["5"]), 1).Window!.IsBeforeRows);
        }
    }

    /// <summary>A position of an earlier version is in whichever database has the name; from then on it is in that one.</summary>
    [Fact]
    public void a_database_is_known_by_its_oid_once_that_was_written_down()
    {
        var (before, present) = (Source with { DatabaseOid = null }, Source with { DatabaseOid = 16_400 });
        var written = Watermark.Start(before, Topic).ToStateFile();
        Assert.DoesNotContain("databaseOid", Encoding.UTF8.GetString(written), StringComparison.Ordinal);
        var old = Watermark.FromJson(written).Source;
        old.CheckSameTable(present);
        Assert.Equal(present, old.KnownAs(present));

        var read = Watermark.FromJson(Watermark.Start(present, Topic).ToStateFile()).Source;
        Assert.Equal(present, read);
        Assert.Equal(present, read.KnownAs(before));
        Assert.Throws<PipelineException>(() => read.CheckSameTable(present with { DatabaseOid = 16_401 }));
    }

    /// <summary>A page that nobody acknowledged may be in the lake, and lost by the brokers since.</summary>
    [Fact]
    public void a_number_that_is_passed_over_is_no_pages_and_says_nothing_of_which_position_is_newer()
    {
        var passed = Watermark.FromJson(Sample().PassNumberOver("frames").ToStateFile());
        Assert.Equal(Sample().Position, passed.Position);
        var next = passed.Advance(new Cursor(null, ["1"]), 1);
        Assert.Equal(Sample().PageNumber + 2, next.PageNumber);
        Assert.Equal(next.PageNumber + 1, next.Advance(new Cursor(null, ["2"]), 1).PageNumber);
        Assert.Equal(0, Watermark.ReadPosition(next.ToPosition())!.UsedNumber);
    }

    [Fact]
    public void neighbouring_transaction_ids_are_written_as_ranges() =>
        Assert.Contains("\"seen\":\"100-999,1500-1501,1999\"", Encoding.UTF8.GetString(Sample().ToJson()));

    [Fact]
    public void any_ids_survive_their_ranges() =>
        Gen.UInt.Array.Select(ids => ids.Distinct().Order().ToImmutableArray()).Sample(ids =>
        {
            var watermark = Sample() with { Horizon = To with { Seen = ids } };
            return Watermark.FromJson(watermark.ToJson()).Horizon!.Seen.SequenceEqual(ids);
        });

    [Fact]
    public void a_page_further_is_a_later_position_and_the_window_done_a_later_one_still()
    {
        var begun = Watermark.Start(Source, Topic).Begin(new Window(1, null, To, null, 0, null));
        var page = begun.Advance(new Cursor(null, ["1"]), 3);
        var done = page.Complete();
        var next = done.Begin(new Window(2, To, To, null, 0, null));
        Assert.True(begun.Position.CompareTo(page.Position) < 0);
        Assert.True(page.Position.CompareTo(done.Position) < 0);
        Assert.True(done.Position.CompareTo(next.Position) < 0);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"version\":1}")]
    [InlineData("{\"version\":1,\"watermark\":null}")]
    [InlineData("{\"version\":2,\"watermark\":{}}")]
    [InlineData("{\"version\":1,\"watermark\":{\"windowNumber\":1}}")]
    public void what_is_no_watermark_is_refused(string json) =>
        Assert.Throws<FormatException>(() => Watermark.FromJson(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void a_watermark_cut_short_anywhere_is_refused()
    {
        var json = Sample().ToStateFile();
        for (var length = 0; length < json.Length - 1; length++)
            Assert.Throws<FormatException>(() => Watermark.FromJson(json.AsSpan(0, length)));
    }

    [Fact]
    public void damaged_bytes_never_fail_otherwise_than_as_no_watermark() =>
        Gen.Select(Gen.Int[0, 1 << 20], Gen.Byte).Sample((at, value) =>
        {
            var json = Sample().ToJson();
            json[at % json.Length] = value;
            try { Watermark.FromJson(json); }
            catch (FormatException) { }
        });
}
