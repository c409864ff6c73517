using OrdersStream.Diagnostics;
using OrdersStream.Store;

namespace OrdersStream.Hosting.Loops;

/// <summary>One half of the pipeline, where only one is to run.</summary>
public enum PipelineHalf
{
    PostgresToKafka,
    KafkaToLake,
}

/// <summary>A stream's two halves as loops in this process.</summary>
public sealed class PipelineRun(PipelineStream stream)
{
    public PipelineStream Stream { get; } = stream;
    public PostgresToKafkaLoop PostgresToKafka { get; } = new(stream);
    public KafkaToLakeLoop KafkaToLake { get; } = new(stream);

    /// <summary>Runs the asked halves until they are told to stop; where one stops by a failure, the other ends too.</summary>
    /// <param name="only">The half; null: both.</param>
    /// <param name="partitions">What the storing half takes without joining a group; null: it joins.</param>
    /// <param name="stop">Ends both when they have done what they are at.</param>
    /// <param name="cancellationToken">
    /// Ends both at once; a page that is being published is given up, and captured by the next start.
    /// </param>
    /// <exception cref="HalfStoppedException">The failure, of the first half that stopped.</exception>
    public async Task UntilStoppedAsync(
        PipelineHalf? only, IReadOnlyList<int>? partitions, CancellationToken stop, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, cancellationToken);
        var halves = new List<Task>();
        if (only is null or PipelineHalf.PostgresToKafka) halves.Add(PostgresToKafka.RunAsync(end.Token, cancellationToken));
        if (only is null or PipelineHalf.KafkaToLake) halves.Add(KafkaToLake.RunAsync(partitions, end.Token));
        // Off this thread: to read the lake is work.
        var audit = only is PipelineHalf.KafkaToLake ? Task.CompletedTask
            : Task.Run(() => Stream.Audit.RunAsync(end.Token), CancellationToken.None);
        var telling = Stream.TellProgressAsync(end.Token);
        await Task.WhenAny(halves);
        await end.CancelAsync();
        await Task.WhenAll([.. halves, audit, telling]);
    }

    /// <summary>Publishes what is in the table, then stores what is in the topic.</summary>
    /// <returns>
    /// How capture ended, or else storing; all whole pages that can be read were stored, unless it was told to end before.
    /// </returns>
    /// <exception cref="HalfStoppedException">A half could not.</exception>
    public async Task<DrainEnd> OnceAsync(PipelineHalf? only, CancellationToken cancellationToken)
    {
        var end = only is PipelineHalf.KafkaToLake ? DrainEnd.Done : await CaptureAllAsync(cancellationToken);
        if (end == DrainEnd.BrokenOff) return end;
        var stored = only is PipelineHalf.PostgresToKafka ? TopicDrain.Done : await KafkaToLake.DrainAsync(cancellationToken);
        return (end, stored) switch
        {
            (_, TopicDrain.BrokenOff) => DrainEnd.BrokenOff,
            (DrainEnd.Done, TopicDrain.PageUnfinished) => DrainEnd.PageUnfinished,
            (DrainEnd.Done, TopicDrain.EndHidden) => DrainEnd.EndHidden,
            _ => end,
        };
    }

    private async Task<DrainEnd> CaptureAllAsync(CancellationToken cancellationToken)
    {
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var telling = Stream.TellProgressAsync(done.Token);
        try
        {
            return await PostgresToKafka.DrainAsync(cancellationToken);
        }
        finally
        {
            await done.CancelAsync();
            await telling;
        }
    }
}
