using FuncScaler.Runtime.Leasing;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>
/// Sends metrics and traces to an OpenTelemetry collector by OTLP. The OTEL_… variables of the OpenTelemetry specification apply, for
/// example OTEL_METRIC_EXPORT_INTERVAL (ms, 60000 if not set), OTEL_EXPORTER_OTLP_HEADERS and OTEL_TRACES_SAMPLER.
/// </summary>
public sealed class TelemetryExport : IDisposable
{
    /// <summary>Names the collector where no other setting does.</summary>
    public const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private readonly MeterProvider _metrics;
    private readonly TracerProvider _traces;

    private TelemetryExport(Uri? endpoint)
    {
        _metrics = Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(Describe)
            .AddMeter(ScalerTelemetry.Name)
            .AddOtlpExporter(options => PointTo(options, endpoint, "v1/metrics"))
            .Build();
        _traces = Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(Describe)
            .AddSource(ScalerTelemetry.Name, LeasingTelemetry.Name)
            .AddOtlpExporter(options => PointTo(options, endpoint, "v1/traces"))
            .Build();
    }

    /// <summary>Starts sending.</summary>
    /// <param name="endpoint">The collector, spoken to by OTLP over HTTP; null for what <see cref="EndpointVariable"/> says.</param>
    /// <returns>What to dispose of at the end, which sends the rest; null where no collector is named.</returns>
    public static TelemetryExport? Start(Uri? endpoint) =>
        endpoint is null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(EndpointVariable)) ? null : new TelemetryExport(endpoint);

    public void Dispose()
    {
        _metrics.Dispose();
        _traces.Dispose();
    }

    private static void Describe(ResourceBuilder resource) => resource.AddService("funcscaler");

    private static void PointTo(OtlpExporterOptions options, Uri? endpoint, string path)
    {
        if (endpoint is not null)
        {
            options.Protocol = OtlpExportProtocol.HttpProtobuf;
            options.Endpoint = new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/" + path);
        }
    }
}
