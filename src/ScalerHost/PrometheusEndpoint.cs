using FuncScaler.Runtime.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace FuncScaler.ScalerHost;

/// <summary>
/// <c>GET /metrics</c> for Prometheus. Collecting begins with the first request for it, so that a scaler which nobody scrapes pays nothing:
/// counters are right from the beginning on all the same, and the histogram of durations is of the time since that request.
/// </summary>
internal sealed class PrometheusEndpoint : IDisposable
{
    private readonly Lazy<(MeterProvider Metrics, RequestDelegate Answer)> _exporter;

    private PrometheusEndpoint(IServiceProvider services) => _exporter = new(() =>
    {
        var metrics = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(static resource => resource.AddService("funcscaler"))
            .AddMeter(ScalerTelemetry.Name)
            .AddPrometheusExporter()
            .Build();
        var branch = new ApplicationBuilder(services);
        branch.UseOpenTelemetryPrometheusScrapingEndpoint(
            metrics, static _ => true, path: null, configureBranchedPipeline: null, optionsName: null);
        return (metrics, branch.Build());
    });

    /// <summary>Maps the endpoint.</summary>
    /// <returns>What stops collecting when it is disposed of.</returns>
    public static IDisposable Map(IEndpointRouteBuilder endpoints)
    {
        var endpoint = new PrometheusEndpoint(endpoints.ServiceProvider);
        endpoints.MapGet("/metrics", http => endpoint._exporter.Value.Answer(http));
        return endpoint;
    }

    public void Dispose()
    {
        if (_exporter.IsValueCreated)
        {
            _exporter.Value.Metrics.Dispose();
        }
    }
}
