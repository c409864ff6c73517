using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Postgres;

namespace OrdersStream.Capture;

/// <summary>
/// Finds where to go on: the watermark file, or what the topic's end knows beyond it (invariant 2), and refuses what
/// belongs to another table or topic (invariant 6).
/// </summary>
internal sealed class WatermarkRecovery(CaptureContext context)
{
    public async Task<Watermark> FindAsync(SourceIdentity source, TopicDescription topic, CancellationToken cancellationToken)
    {
        var file = context.File.Read();
        if (file is not null) CheckTopic(file.Topic, topic.Identity);
        var tail = await new TopicTail(context.Options).ReadAsync(
            file?.Offsets ?? Watermark.NoOffsets, topic.Partitions, cancellationToken);
        var newest = tail.Newest is { } t && (file is null || t.Position.CompareTo(file.Position) > 0) ? t : file;
        if (newest is null) context.Logger.StartingAfresh();
        else
        {
            newest.Source.CheckSameTable(source);
            if (!ReferenceEquals(newest, file)) context.Logger.RecoveredFromTopic(newest.WindowNumber, newest.Window?.Page ?? 0);
        }
        return (newest ?? Watermark.Start(source, topic.Identity)) with
        {
            Topic = topic.Identity,
            Offsets = System.Collections.Immutable.ImmutableSortedDictionary.CreateRange(tail.Ends),
        };
    }

    private void CheckTopic(TopicIdentity known, TopicIdentity present)
    {
        if (known.Matches(present)) return;
        throw new PipelineException(present.ActionWhereOther(known),
            $"The watermark file {context.File.Path} belongs to topic {Text(known)}, but kafka.topic is now {Text(present)}.",
            "If the topic was deleted and made anew, its records are gone: to capture the whole table again, "
            + "move the watermark file and the commit log (streaming.checkpoint_location) away and give the lake a new datalake.path. "
            + "Otherwise correct kafka.brokers or kafka.topic.");
    }

    private static string Text(TopicIdentity t) => $"{t.Topic} (id {t.TopicId ?? "unknown"}, cluster {t.ClusterId})";
}
