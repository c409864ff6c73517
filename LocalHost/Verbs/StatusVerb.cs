using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>Whose status is asked for.</summary>
public sealed record StatusOptions(PipelineOptions Pipeline, LogLevel LogLevel);

/// <summary>Shows where both halves stand.</summary>
public static class StatusVerb
{
    /// <returns>0 when the state could be read.</returns>
    public static Task<int> ExecuteAsync(StatusOptions options, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
