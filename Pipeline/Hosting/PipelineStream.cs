using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>Opens the storing half: which topic it stores can be told only once the brokers answer.</summary>
public sealed class LakeOpener(
    TopicAdmin admin, TopicReader topic, PipelineOptions options, TimeProvider time, CrashPoints crashPoints, PipelineMetrics metrics,
    ILogger<KafkaToLake> logger)
{
    /// <exception cref="Exception">Whatever failed; <see cref="FailurePolicy"/> says what to do about it.</exception>
    public async Task<KafkaToLake> OpenAsync(CancellationToken cancellationToken)
    {
        var description = await admin.EnsureAsync(cancellationToken);
        return new KafkaToLake(options, TopicAccess.Through(topic, description.Identity), PresentSchemaAsync, time, crashPoints, metrics, logger);
    }

    /// <summary>For records that another producer wrote, which name no schema.</summary>
    private async Task<TableSchema> PresentSchemaAsync(CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        return (await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken)).Schema;
    }
}
