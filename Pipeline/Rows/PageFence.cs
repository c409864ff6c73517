using System.Globalization;
using System.Text;
using System.Text.Json;

namespace OrdersStream.Rows;

/// <summary>
/// The mark by which a publisher without transactions begins, in each partition: pages with smaller numbers that arrive behind it were
/// sent by a predecessor that did not know that it had been replaced, and count for nobody (topic format 2).
/// </summary>
/// <param name="Page">Its number among the pages': greater than any before it, smaller than those of its publisher.</param>
/// <param name="Publisher">Incarnation of who sent it.</param>
public sealed record PageFence(long Page, string Publisher)
{
    /// <summary>Pages that one publisher can number before it comes to its successor's: more than it can send unawares.</summary>
    private const int PageBits = 24;

    private static readonly DateTimeOffset Epoch = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// No page has a number as great: the clock comes to it in 2037, and beyond it a floating-point number is not exact. What claims to be
    /// such a page is somebody else's, and would make each of ours a late one.
    /// </summary>
    internal const long NumberEnd = 1L << 53;

    /// <summary>A number that a page or a fence may have.</summary>
    internal static bool IsNumber(long page) => page is > 0 and < NumberEnd;

    /// <summary>Which takeover a page's number belongs to; 0: there was none yet.</summary>
    public static long TakeoverOf(long page) => page >> PageBits;

    /// <summary>The number of the fence of whoever knows of no page above this one.</summary>
    public static long NumberAfter(long page) => (TakeoverOf(page) + 1) << PageBits;

    /// <summary>
    /// A number above all that were given before, as far as clocks are right: for whoever cannot know all of them. A second has more
    /// numbers than pages or takeovers; as a floating-point number, too, it is exact.
    /// </summary>
    public static long NumberAt(DateTimeOffset now) => (long)(now - Epoch).TotalSeconds << PageBits;

    public byte[] ToHeader(string stream) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"{{\"version\":{PageFrame.Version},\"stream\":{JsonSerializer.Serialize(stream, PageFrameJson.Default.String)},"
        + $"\"page\":{Page},\"publisher\":\"{Publisher}\"}}"));

    /// <summary>Reads what <see cref="ToHeader"/> wrote.</summary>
    /// <returns>Null: it is no fence of this stream, but somebody else's header.</returns>
    /// <exception cref="FormatException">It is of a later version.</exception>
    public static PageFence? Read(byte[] header, string stream) => PageFrame.Read(header, stream, root =>
    {
        var fence = new PageFence(root.GetProperty("page").GetInt64(), root.GetProperty("publisher").GetString()!);
        return IsNumber(fence.Page) ? fence : null;
    });
}
