using System.Data.Common;
using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using FuncScaler.Runtime.Leasing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FuncScaler.Runtime.Telemetry;

/// <summary>
/// Sends metrics, traces and logs to Azure Monitor, to an OpenTelemetry collector by OTLP, or to both. The OTEL_… variables of the
/// OpenTelemetry specification apply, for example OTEL_METRIC_EXPORT_INTERVAL (ms, 60000 if not set), OTEL_EXPORTER_OTLP_HEADERS and
/// OTEL_TRACES_SAMPLER.
/// </summary>
public static class TelemetryExport
{
    /// <summary>Names the collector where no other setting does.</summary>
    public const string OtlpVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Names the Application Insights resource where no other setting does.</summary>
    public const string AzureMonitorVariable = "APPLICATIONINSIGHTS_CONNECTION_STRING";

    /// <summary>
    /// How to sign in to Application Insights, as the Functions host reads it: <c>Authorization=AAD</c> for the managed identity of the
    /// system, with <c>ClientId=…</c> for one of the user's. Not set: the connection string is enough.
    /// </summary>
    public const string AuthenticationVariable = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";

    /// <summary>Starts sending with the host that the services are for. At its stop the rest is sent.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configuration">The host's settings, the environment's among them.</param>
    /// <param name="otlp">The collector, spoken to by OTLP over HTTP; null for what <see cref="OtlpVariable"/> says.</param>
    /// <param name="azureMonitor">The connection string of Application Insights; null for what <see cref="AzureMonitorVariable"/> says.</param>
    /// <returns>What else can be added to; null where neither is named, and nothing is sent.</returns>
    /// <exception cref="FormatException">A connection string is none.</exception>
    public static OpenTelemetryBuilder? AddTelemetryExport(
        this IServiceCollection services, IConfiguration configuration, Uri? otlp = null, string? azureMonitor = null)
    {
        azureMonitor ??= configuration[AzureMonitorVariable];
        var toCollector = otlp is not null || !string.IsNullOrEmpty(configuration[OtlpVariable]);
        if (!toCollector && string.IsNullOrEmpty(azureMonitor))
        {
            return null;
        }

        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("funcscaler"))
            .WithMetrics(metrics => metrics.AddMeter(ScalerTelemetry.Name))
            .WithTracing(traces => traces.AddSource(ScalerTelemetry.Name, LeasingTelemetry.Name));
        if (otlp is not null)
        {
            telemetry.UseOtlpExporter(OtlpExportProtocol.HttpProtobuf, otlp);
        }
        else if (toCollector)
        {
            telemetry.UseOtlpExporter();
        }

        if (!string.IsNullOrEmpty(azureMonitor))
        {
            _ = Fields(AzureMonitorVariable, azureMonitor, "InstrumentationKey");
            var credential = CredentialOf(configuration[AuthenticationVariable]);

            // Configured apart: the exporter's overload with options would not read the variables of the sampler.
            telemetry.UseAzureMonitorExporter();
            services.Configure<AzureMonitorExporterOptions>(options =>
            {
                options.ConnectionString = azureMonitor;
                options.Credential = credential;

                // Of the process alone: the figures that count are the scaler's, and the Functions host has a live stream of its own.
                options.EnableLiveMetrics = false;

                // Traces are limited by the second; a warning must not be dropped because its trace was.
                options.EnableTraceBasedLogsSampler = false;
            });
        }

        services.AddHostedService<FlushAtStop>();
        return telemetry;
    }

    private static ManagedIdentityCredential? CredentialOf(string? authentication)
    {
        if (string.IsNullOrEmpty(authentication))
        {
            return null;
        }

        var fields = Fields(AuthenticationVariable, authentication, "Authorization");
        return new ManagedIdentityCredential(fields.TryGetValue("ClientId", out var clientId)
            ? ManagedIdentityId.FromUserAssignedClientId((string)clientId)
            : ManagedIdentityId.SystemAssigned);
    }

    private static DbConnectionStringBuilder Fields(string variable, string text, string needed)
    {
        var fields = new DbConnectionStringBuilder();
        try
        {
            fields.ConnectionString = text;
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"{variable} is not of the form name=value;name=value: {e.Message}", e);
        }

        return fields.ContainsKey(needed)
            ? fields
            : throw new FormatException($"{variable} has no {needed}=…: copy it from the Application Insights resource, or leave it empty to send nothing.");
    }

    /// <summary>Sends what has gathered: after what is registered later has stopped, and before anything measured is disposed of.</summary>
    private sealed class FlushAtStop(IServiceProvider services) : IHostedService
    {
        private const int PatienceMs = 5000;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            // The SDK offers no asynchronous flush.
            var flush = Task.WhenAll(
                Task.Run(() => services.GetService<MeterProvider>()?.ForceFlush(PatienceMs), CancellationToken.None),
                Task.Run(() => services.GetService<TracerProvider>()?.ForceFlush(PatienceMs), CancellationToken.None),
                Task.Run(() => services.GetService<LoggerProvider>()?.ForceFlush(PatienceMs), CancellationToken.None));
            return Task.WhenAny(flush, Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken));
        }
    }
}
