using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OrdersStream.Diagnostics;

namespace OrdersStream.Site;

/// <summary>
/// Gives the metrics away: as Prometheus text to whoever asks, and by OTLP where the standard environment variables name an
/// endpoint. It counts from the moment it is made, so a host makes it before the halves begin.
/// </summary>
public sealed class MetricsExport : IDisposable
{
    private const string ScrapePath = "/metrics", ServiceName = "orders-stream";

    private readonly MeterProvider provider;
    private readonly RequestDelegate scrape;

    public MetricsExport()
    {
        var version = typeof(MetricsExport).Assembly.GetName().Version?.ToString(3);
        var builder = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.AddService(ServiceName, serviceVersion: version).AddEnvironmentVariableDetector())
            .AddMeter(PipelineMetrics.MeterName, "System.Runtime")
            .AddPrometheusExporter(options => options.ScrapeResponseCacheDurationMilliseconds = 0);
        if (IsPushed) builder.AddOtlpExporter();
        provider = builder.Build();
        var application = new ApplicationBuilder(new ServiceCollection().BuildServiceProvider());
        application.UseOpenTelemetryPrometheusScrapingEndpoint(provider, null, ScrapePath, null, null);
        scrape = application.Build();
    }

    /// <summary>Whether the environment asks for OTLP.</summary>
    public static bool IsPushed => IsPushedBy(Environment.GetEnvironmentVariable);

    /// <summary>Whether an environment asks for it.</summary>
    /// <param name="valueOf">Of a variable; null: it is not set.</param>
    public static bool IsPushedBy(Func<string, string?> valueOf) =>
        !string.IsNullOrEmpty(valueOf("OTEL_EXPORTER_OTLP_ENDPOINT"))
        || !string.IsNullOrEmpty(valueOf("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"));

    /// <summary>The metrics as Prometheus text.</summary>
    public async Task<(string ContentType, ReadOnlyMemory<byte> Text)> ScrapeAsync(CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestAborted = cancellationToken };
        (context.Request.Method, context.Request.Path, context.Response.Body) = (HttpMethods.Get, ScrapePath, body);
        await scrape(context);
        // An empty answer has no type: nothing was measured yet.
        return (context.Response.ContentType ?? "text/plain; charset=utf-8", body.ToArray());
    }

    public void Dispose() => provider.Dispose();
}
