using System.Collections.Immutable;
using OrdersStream.Configuration;

namespace OrdersStream.Hosting;

/// <summary>
/// The streams of one process. They share nothing but the process; the name of each stands in its lines where there are several.
/// Each host has one stream so far.
/// </summary>
public sealed class StreamSet : IAsyncDisposable
{
    /// <exception cref="ArgumentException">There is none, or two share a topic: they would fence one another.</exception>
    public StreamSet(IReadOnlyList<PipelineOptions> streams, ProcessContext process)
    {
        if (streams.Count == 0) throw new ArgumentException("a process needs a stream at least", nameof(streams));
        if (streams.GroupBy(s => s.StreamName, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } shared)
            throw new ArgumentException($"two streams share the topic {shared.Key}", nameof(streams));
        All = [.. streams.Select(options => new PipelineStream(options, process, isAlone: streams.Count == 1))];
    }

    public ImmutableArray<PipelineStream> All { get; }

    public async ValueTask DisposeAsync()
    {
        foreach (var stream in All) await stream.DisposeAsync();
    }
}
