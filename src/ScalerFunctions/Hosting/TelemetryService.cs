using FuncScaler.Runtime;
using FuncScaler.Runtime.Execution;
using FuncScaler.Runtime.Service;
using FuncScaler.Runtime.Telemetry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ScalerFunctions;

/// <summary>Metrics as a line in the log each minute, which the host passes on to Application Insights, and by OTLP where a collector is named.</summary>
internal sealed class TelemetryService(ILogger<MetricsSummary> logger, TimeProvider time) : IHostedService, IDisposable
{
    private MetricsSummary? _summary;
    private TelemetryExport? _export;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _summary = new MetricsSummary(logger, time);
        _export = TelemetryExport.Start(null);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _summary?.Write();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _summary?.Dispose();
        _export?.Dispose();
    }
}
