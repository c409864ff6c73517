using System.Security.Cryptography;
using System.Text;
using OrdersStream.Capture;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;
using OrdersStream.UnitTests.ParquetFormat;
using OrdersStream.UnitTests.Postgres;

namespace OrdersStream.UnitTests.Fuzzing;

/// <summary>
/// State is read as it was written, or refused as what it is not, whatever a disk or a hand made of it: no other failure, and
/// what is accepted can be used.
/// </summary>
public sealed class StateFuzzTests : IDisposable
{
    private readonly TempFolder folder = new();

    public static TheoryData<string, string> Corpus =>
    [
        .. new[] { "watermark", "commit", "schema", "footer", "parquet" }
            .SelectMany(target => Fuzzer.Corpus(target).Select(f => (target, Path.GetFileName(f)))),
    ];

    public void Dispose() => folder.Dispose();

    [Theory, MemberData(nameof(Corpus))]
    public void each_kept_file_is_state_or_refused(string target, string name) =>
        CheckOf(target)(File.ReadAllBytes(Fuzzer.Corpus(target).Single(f => Path.GetFileName(f) == name)));

    /// <summary>The watermark file, and the position header of a page.</summary>
    [Theory, InlineData("watermark"), InlineData("commit"), InlineData("schema"), InlineData("footer"), InlineData("parquet")]
    public Task a_file_is_state_or_refused(string target) => new Fuzzer(target, CheckOf(target))
    {
        Words = ["\"version\": 2", "\"watermark\": null", "\"key\": [null]", "\"seen\": \"0-9999999\"", "\"seen\": \"5-1\"",
            "\"columns\": []", "\"kind\": \"Numeric\"", "\"kind\": \"17\"", "\"precision\": -1", "\"array\": true"],
        Seeds = target == "parquet" ? [Parquet()] : [],
    }.RunAsync();

    private Func<byte[], string> CheckOf(string target) => target switch
    {
        "watermark" => Refusable(CheckWatermark),
        "commit" => Refusable(CheckCommit),
        "schema" => Refusable(CheckSchema),
        "footer" => Refusable(CheckFooter),
        _ => Refusable(CheckParquet),
    };

    private static Func<byte[], string> Refusable(Func<byte[], string> read) => input =>
    {
        try
        {
            return read(input);
        }
        catch (FormatException e)
        {
            Assert.NotEmpty(e.Message);
            return e.Message.Length > 100 ? e.Message[..100] : e.Message;
        }
    };

    private static string CheckWatermark(byte[] input)
    {
        var read = Watermark.FromJson(input);
        var json = read.ToJson();
        Assert.Equal(json, Watermark.FromJson(json).ToJson());
        Assert.Equal(json, Watermark.FromJson(read.ToStateFile()).ToJson());
        _ = read.Position;
        // What the next poll asks with it.
        if (read.Window is { Cursor: null or { Key.Length: 1 } } window) Assert.NotEmpty(window.Query(Horizons.Orders()));
        return $"{read.Window is null}{read.Window?.From is null}{read.Window?.Cursor is null}{read.Horizon is null}";
    }

    /// <summary>With the checksum that its content should have, too: else nothing behind the checksum is ever met.</summary>
    private static string CheckCommit(byte[] input)
    {
        var text = Encoding.UTF8.GetString(input);
        var end = text.LastIndexOf(",\n  \"checksum\": \"", StringComparison.Ordinal);
        var checksum = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text[..Math.Max(end, 0)])))[..16];
        if (end >= 0) text = $"{text[..end]},\n  \"checksum\": \"{checksum}\"\n}}\n";
        var read = CommitEntryFormat.Read(Encoding.UTF8.GetBytes(text));
        var written = CommitEntryFormat.Write(read);
        Assert.Equal(written, CommitEntryFormat.Write(CommitEntryFormat.Read(written)));
        return $"{read.AllFiles.Count()} {read.State.PageEnded}";
    }

    private static string CheckSchema(byte[] input)
    {
        var read = TableSchema.FromJson(Encoding.UTF8.GetString(input));
        Assert.Equal(read.Fingerprint, TableSchema.FromJson(read.ToJson()).Fingerprint);
        return string.Join(' ', read.Columns.Select(c => c.Type.Kind).Distinct());
    }

    private static string CheckFooter(byte[] input)
    {
        var pairs = Encoding.UTF8.GetString(input).Split('\n').Select(l => l.Split('=', 2)).Where(p => p.Length == 2)
            .DistinctBy(p => p[0]).ToDictionary(p => p[0], p => p[1]);
        var read = FileFooter.FromMetadata(pairs);
        Assert.Equal(read, FileFooter.FromMetadata(read.ToMetadata()));
        return "";
    }

    private string CheckParquet(byte[] input)
    {
        var path = folder["part-0-0-0.parquet"];
        File.WriteAllBytes(path, input);
        var footer = LakeReader.ReadFooterAsync(new LakeFolder("/"), path, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
        return $"{footer.Rows}";
    }

    private byte[] Parquet()
    {
        var schema = LakeRows.Schema(LakeRows.Column("id", ColumnKind.BigInt, nullable: false), LakeRows.Column("name", ColumnKind.Text));
        return File.ReadAllBytes(LakeRows.WriteAsync(folder, LakeRows.Batch(schema, [[1L, "a"], [2L, null]])).GetAwaiter().GetResult());
    }
}
