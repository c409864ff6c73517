using OrdersStream.Lake;
using OrdersStream.UnitTests.ParquetFormat;

namespace OrdersStream.UnitTests.Lake;

public sealed class FileFooterTests
{
    private static readonly FileFooter Footer = new(LakeRows.Topic, 3, 100, 199, 42, "0123456789abcdef", 7);

    [Fact]
    public void it_comes_back_from_its_own_pairs() => Assert.Equal(Footer, FileFooter.FromMetadata(Footer.ToMetadata()));

    [Fact]
    public void a_file_of_the_first_format_has_no_page()
    {
        var pairs = (Footer with { LastPage = null }).ToMetadata();
        Assert.Equal("1", pairs["orders_stream.format_version"]);
        Assert.Null(FileFooter.FromMetadata(pairs).LastPage);
    }

    [Fact]
    public void a_topic_without_ids_comes_back_without_them()
    {
        var footer = Footer with { Topic = Footer.Topic with { ClusterId = "", TopicId = null } };
        // A file keeps no empty value.
        Assert.DoesNotContain("", footer.ToMetadata().Values);
        Assert.Equal(footer, FileFooter.FromMetadata(footer.ToMetadata()));
        footer = footer with { Topic = footer.Topic with { ClusterId = "" } };
        Assert.Equal(footer, FileFooter.FromMetadata(footer.ToMetadata()));
    }

    [Fact]
    public void pairs_of_others_are_ignored() =>
        Assert.Equal(Footer, FileFooter.FromMetadata(new Dictionary<string, string>(Footer.ToMetadata()) { ["ARROW:schema"] = "x" }));

    [Theory]
    [InlineData("format_version")]
    [InlineData("topic")]
    [InlineData("partition")]
    [InlineData("first_offset")]
    [InlineData("last_offset")]
    [InlineData("rows")]
    [InlineData("schema_fingerprint")]
    [InlineData("last_page")]
    public void a_missing_key_is_named(string key)
    {
        var pairs = new Dictionary<string, string>(Footer.ToMetadata());
        Assert.True(pairs.Remove("orders_stream." + key));
        Assert.Contains($"'orders_stream.{key}' is missing", Assert.Throws<FormatException>(() => FileFooter.FromMetadata(pairs)).Message);
    }

    [Theory]
    [InlineData("format_version", "3")]
    [InlineData("format_version", "x")]
    [InlineData("partition", "-1")]
    [InlineData("partition", "2147483648")]
    [InlineData("first_offset", "1e3")]
    [InlineData("last_offset", " 7")]
    [InlineData("last_offset", "99")]
    [InlineData("rows", "0")]
    [InlineData("rows", "101")]
    [InlineData("rows", "99999999999999999999")]
    public void a_wrong_value_is_shown_with_its_key(string key, string value)
    {
        var pairs = new Dictionary<string, string>(Footer.ToMetadata()) { ["orders_stream." + key] = value };
        var message = Assert.Throws<FormatException>(() => FileFooter.FromMetadata(pairs)).Message;
        Assert.Contains($"'orders_stream.{key}'", message);
        Assert.Contains(value, message);
    }
}
