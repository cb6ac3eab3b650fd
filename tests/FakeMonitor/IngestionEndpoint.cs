using System.Collections.Concurrent;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Telemetry;

/// <summary>Stands in for the ingestion of Application Insights on loopback, and remembers what it was sent.</summary>
internal sealed class IngestionEndpoint : IAsyncDisposable
{
    private readonly WebApplication _app;

    private IngestionEndpoint(WebApplication app) => _app = app;

    /// <summary>Metrics by name: each combination of tags received, as <c>tag=value</c> in order, empty for none.</summary>
    public ConcurrentDictionary<string, ConcurrentDictionary<string, double>> Metrics { get; } = new();

    /// <summary>The spans received, by name: each one's trace.</summary>
    public ConcurrentDictionary<string, string> Spans { get; } = new();

    /// <summary>Lines of the log received.</summary>
    public ConcurrentQueue<string> Lines { get; } = new();

    /// <summary>What to give the scaler.</summary>
    public string ConnectionString
    {
        get
        {
            var address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
            return $"InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint={address}/;LiveEndpoint={address}/";
        }
    }

    public static async Task<IngestionEndpoint> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var endpoint = new IngestionEndpoint(app);
        app.MapPost("/v2.1/track", endpoint.TakeAsync);
        await app.StartAsync();
        return endpoint;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        var gzip = http.Request.Headers.ContentEncoding.ToString().Contains("gzip", StringComparison.Ordinal);
        using var reader = new StreamReader(gzip ? new GZipStream(http.Request.Body, CompressionMode.Decompress) : http.Request.Body, Encoding.UTF8);
        var envelopes = (await reader.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        foreach (var envelope in envelopes)
        {
            using var json = JsonDocument.Parse(envelope);
            Take(json.RootElement.GetProperty("data"), json.RootElement.GetProperty("tags"));
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync($$"""{"itemsReceived":{{envelopes.Length}},"itemsAccepted":{{envelopes.Length}},"errors":[]}""");
    }

    private void Take(JsonElement data, JsonElement context)
    {
        var body = data.GetProperty("baseData");
        switch (data.GetProperty("baseType").GetString())
        {
            case "MetricData":
                var tags = body.TryGetProperty("properties", out var properties)
                    ? properties.EnumerateObject().Select(p => $"{p.Name}={p.Value.GetString()}").Order(StringComparer.Ordinal)
                    : Enumerable.Empty<string>();
                foreach (var metric in body.GetProperty("metrics").EnumerateArray())
                {
                    Metrics.GetOrAdd(metric.GetProperty("name").GetString()!, _ => new())[string.Join(';', tags)] = metric.GetProperty("value").GetDouble();
                }

                break;
            case "RemoteDependencyData" or "RequestData":
                Spans[body.GetProperty("name").GetString()!] = context.GetProperty("ai.operation.id").GetString()!;
                break;
            case "MessageData":
                Lines.Enqueue(body.GetProperty("message").GetString()!);
                break;
        }
    }
}
