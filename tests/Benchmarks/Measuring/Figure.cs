namespace OrdersStream.Benchmarks.Measuring;

/// <summary>One quantity over several runs.</summary>
internal sealed record Figure(double Median, double Lowest, double Highest)
{
    /// <summary>Null where nothing was measured.</summary>
    public static Figure? Of(IEnumerable<double?> values)
    {
        var sorted = values.OfType<double>().Order().ToList();
        return sorted.Count == 0 ? null : new(Percentile(sorted, 0.5), sorted[0], sorted[^1]);
    }

    /// <summary>Between two values in proportion, as the median of an even number is.</summary>
    public static double Percentile(IReadOnlyList<double> sorted, double share)
    {
        var at = share * (sorted.Count - 1);
        var below = (int)at;
        return below + 1 == sorted.Count ? sorted[below] : sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
    }
}
