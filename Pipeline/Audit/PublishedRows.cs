using OrdersStream.Capture;
using OrdersStream.Postgres;

namespace OrdersStream.Audit;

/// <summary>Which rows of the table are published, by the watermark.</summary>
internal static class PublishedRows
{
    /// <summary>
    /// The horizon whose rows are published as they read now. While a window is read that looks at rows of before its first horizon, or has
    /// none, that horizon's ids tell nothing: of each row the window may bring what is not in the lake yet.
    /// </summary>
    /// <returns>Null: of no row it is known.</returns>
    public static Horizon? Horizon(Watermark? watermark) =>
        watermark?.Window is { } window && (window.From is null || window.IsOfAnyTime || window.Joined is not null)
            ? null
            : watermark?.Horizon;
}
