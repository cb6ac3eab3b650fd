using FuncScaler.Runtime.Telemetry;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace FuncScaler.ScalerFunctions.Hosting;

/// <summary>What the worker sends to Azure Monitor or a collector.</summary>
internal static class WorkerTelemetry
{
    /// <summary>
    /// The scaler's metrics, traces and logs, and the worker's spans of invocations, as children of the Functions host's. Only where
    /// something is sent: the worker then tells the host not to pass its logs on, and they would be lost.
    /// </summary>
    public static IServiceCollection AddWorkerTelemetry(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddTelemetryExport(configuration)?.UseFunctionsWorkerDefaults();
        return services;
    }
}
