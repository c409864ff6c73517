using Microsoft.Extensions.Logging;

namespace OrdersStream.Diagnostics;

/// <summary>
/// Every line that the product logs. Ids: 1xxx reading Postgres, 2xxx publishing to Kafka, 3xxx storing in the lake,
/// 9xxx the host. Never a row's value, never a secret (invariant 9). ERROR means loss or a human is needed; WARN means odd, nothing lost.
/// </summary>
public static partial class Log
{
    // 1xxx: reading Postgres

    // 2xxx: publishing to Kafka

    // 3xxx: storing in the lake

    // 9xxx: the host
    [LoggerMessage(9001, LogLevel.Information, "stopping: {Reason}")]
    public static partial void Stopping(this ILogger logger, string reason);
}
