using OrdersStream.Diagnostics;

namespace OrdersStream.Hosting.Functions;

/// <summary>
/// Looks at the table's rows before the platform subscribes: a batch of them must not be larger than what reaches the worker.
/// </summary>
public sealed class FunctionsRows(PipelineStream stream, BatchLimit limit)
{
    /// <summary>The platform gives up on a worker that is slow to start.</summary>
    internal static TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>A table that cannot be asked is no failure here.</summary>
    /// <exception cref="PipelineException">A batch of the table's rows is too large.</exception>
    public async Task CheckAsync()
    {
        using var timeout = new CancellationTokenSource(Timeout, stream.Process.Time);
        double? rowBytes;
        try
        {
            rowBytes = await stream.SampleRowBytesAsync(timeout.Token);
        }
        catch (Exception)
        {
            // The first poll says why, or it is slow: what is captured is looked at, too.
            return;
        }
        if (rowBytes is { } bytes) limit.Check(bytes);
    }
}
