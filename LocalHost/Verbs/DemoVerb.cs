using Microsoft.Extensions.Logging;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What the demonstration was asked to do.</summary>
/// <param name="Seconds">How long orders are played.</param>
/// <param name="Rate">New orders a second.</param>
/// <param name="Directory">Where lake, state and database are kept; null: the default place, which git ignores.</param>
/// <param name="Keep">Leave the files of an earlier run where they are and add to them, instead of beginning anew.</param>
/// <param name="LogLevel">Least severe line to show.</param>
public sealed record DemoOptions(int Seconds, int Rate, string? Directory, bool Keep, LogLevel LogLevel);

/// <summary>The whole pipeline on a private Postgres and an in-process Kafka.</summary>
public static class DemoVerb
{
    /// <returns>0 when the lake equals the table at the end, or the token was cancelled; 1 when they differ or a part failed.</returns>
    public static Task<int> ExecuteAsync(DemoOptions options, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
