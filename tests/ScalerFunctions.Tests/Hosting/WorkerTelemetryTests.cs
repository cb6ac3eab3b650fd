using System.Diagnostics;
using System.Text.Json.Nodes;
using FuncScaler.Runtime.Telemetry;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.Tests.Telemetry;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

/// <summary>What the worker sends to Azure Monitor, beside its host.</summary>
public sealed class WorkerTelemetryTests
{
    /// <summary>Tells the host that the worker sends its logs itself.</summary>
    private const string SendsItself = "WorkerOpenTelemetryEnabled";

    [Fact]
    public async Task A_span_of_the_worker_is_sent_in_the_trace_of_its_host_and_logs_and_metrics_with_it()
    {
        await using var azure = await IngestionEndpoint.StartAsync();
        using var app = await StartAsync(azure, sampledShare: 1);

        // As the worker does when the host sends an invocation with its traceparent.
        using var source = new ActivitySource("Microsoft.Azure.Functions.Worker");
        var host = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded, isRemote: true);
        source.StartActivity("invocation", ActivityKind.Internal, host)!.Dispose();
        ScalerTelemetry.CountFinding(ReconcileFinding.Leaked, 2);
        app.Services.GetRequiredService<ILogger<WorkerTelemetryTests>>().Log(LogLevel.Warning, 1, "careful", null, (text, _) => text);
        await app.StopAsync();

        Assert.Equal(host.TraceId.ToHexString(), azure.Spans["invocation"]);
        Assert.True(azure.Metrics["funcscaler.reconcile.findings"]["finding=leaked"] >= 2);
        Assert.Contains("careful", azure.Lines);
        Assert.Equal("True", app.Services.GetRequiredService<IOptions<WorkerOptions>>().Value.Capabilities[SendsItself]);
    }

    [Fact]
    public async Task A_warning_is_sent_even_where_its_trace_is_not()
    {
        await using var azure = await IngestionEndpoint.StartAsync();
        using var app = await StartAsync(azure, sampledShare: 0);

        using var source = new ActivitySource("Microsoft.Azure.Functions.Worker");
        using (source.StartActivity("unsampled"))
        {
            app.Services.GetRequiredService<ILogger<WorkerTelemetryTests>>().Log(LogLevel.Warning, 1, "careful", null, (text, _) => text);
        }

        await app.StopAsync();

        Assert.DoesNotContain("unsampled", azure.Spans.Keys);
        Assert.Contains("careful", azure.Lines);
    }

    [Fact]
    public void Without_a_connection_string_the_host_goes_on_passing_the_workers_logs_on()
    {
        var services = new ServiceCollection();
        services.AddWorkerTelemetry(new ConfigurationBuilder().Build());
        using var provider = services.AddOptions().BuildServiceProvider();
        Assert.False(provider.GetRequiredService<IOptions<WorkerOptions>>().Value.Capabilities.ContainsKey(SendsItself));
    }

    [Fact]
    public void The_host_speaks_OpenTelemetry_as_the_worker_does() =>
        Assert.Equal("OpenTelemetry", (string?)JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "host.json")))!["telemetryMode"]);

    private static async Task<IHost> StartAsync(IngestionEndpoint azure, int sampledShare)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration[TelemetryExport.AzureMonitorVariable] = azure.ConnectionString;
        builder.Configuration["OTEL_TRACES_SAMPLER"] = "microsoft.fixed_percentage";
        builder.Configuration["OTEL_TRACES_SAMPLER_ARG"] = $"{sampledShare}";
        builder.Services.AddWorkerTelemetry(builder.Configuration);
        var app = builder.Build();
        await app.StartAsync();
        return app;
    }
}
