using OrdersStream.Audit;
using OrdersStream.Capture;
using OrdersStream.Postgres;
using static OrdersStream.UnitTests.Postgres.Horizons;

namespace OrdersStream.UnitTests.Audit;

/// <summary>While a window looks at rows of before its first horizon, that horizon's rows may read otherwise in the lake.</summary>
public sealed class PublishedRowsTests
{
    private static readonly Horizon From = At(100, 105, Noon), To = At(110, 110, Noon.AddMinutes(1));

    private static readonly Watermark Between = Watermark.Start(Source, Topic) with { Horizon = From };

    public static TheoryData<string, bool> Windows => new()
    {
        { "none", true }, { "new rows", true }, { "all rows", false }, { "rows of any time", false }, { "a table that joined", false },
    };

    [Theory, MemberData(nameof(Windows))]
    public void a_horizon_tells_what_is_published_unless_its_rows_are_captured_again(string kind, bool tells) =>
        Assert.Equal(tells ? From : null, PublishedRows.Horizon(Between with { Window = Of(kind) }));

    [Fact]
    public void nothing_is_known_to_be_published_before_a_first_window_is_done() =>
        Assert.Null(PublishedRows.Horizon(Between with { Horizon = null, Window = Of("all rows") }));

    private static Window? Of(string kind)
    {
        var window = new Window(2, From, To, Noon, 0, null);
        return kind switch
        {
            "none" => null,
            "new rows" => window,
            "all rows" => window with { From = null, LowerBound = null },
            "rows of any time" => window with { IsOfAnyTime = true, LowerBound = null },
            _ => window with { Joined = [7] },
        };
    }
}
