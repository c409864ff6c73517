using Microsoft.Extensions.Logging;
using OrdersStream.Configuration;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>verify</c> was asked to compare.</summary>
public sealed record VerifyOptions(PipelineOptions Pipeline, LogLevel LogLevel);

/// <summary>Compares the lake with the source table.</summary>
public static class VerifyVerb
{
    /// <returns>0 when they agree; 1 when they differ or could not be compared.</returns>
    public static Task<int> ExecuteAsync(VerifyOptions options, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
