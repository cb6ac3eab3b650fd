using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests.Telemetry;

/// <summary>Stands in for an OpenTelemetry collector: takes OTLP over HTTP on loopback and remembers what it was sent, by name.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtlpCollector(WebApplication app) => _app = app;

    /// <summary>Units of the metrics received, by name.</summary>
    public ConcurrentDictionary<string, string> Metrics { get; } = new();

    /// <summary>Names of the spans received.</summary>
    public ConcurrentDictionary<string, bool> Spans { get; } = new();

    public Uri Address => new(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var collector = new OtlpCollector(app);

        // ExportMetricsServiceRequest: resource_metrics = 1, of them scope_metrics = 2, of them metrics = 2: name = 1, unit = 3.
        app.MapPost("/v1/metrics", http => collector.TakeAsync(http, metric => collector.Metrics[Text(metric, 1)] = Text(metric, 3)));

        // ExportTraceServiceRequest: resource_spans = 1, scope_spans = 2, spans = 2: name = 5.
        app.MapPost("/v1/traces", http => collector.TakeAsync(http, span => collector.Spans[Text(span, 5)] = true));
        await app.StartAsync();
        return collector;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http, Action<ByteString> take)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        foreach (var item in Fields(ByteString.CopyFrom(body.ToArray()), 1).SelectMany(r => Fields(r, 2)).SelectMany(s => Fields(s, 2)))
        {
            take(item);
        }

        http.Response.ContentType = "application/x-protobuf";
    }

    private static string Text(ByteString message, int field) => Fields(message, field).FirstOrDefault()?.ToStringUtf8() ?? "";

    /// <summary>The fields of a number that are strings or messages.</summary>
    private static List<ByteString> Fields(ByteString message, int field)
    {
        var found = new List<ByteString>();
        var input = message.CreateCodedInput();
        uint tag;
        while ((tag = input.ReadTag()) != 0)
        {
            if (tag == WireFormat.MakeTag(field, WireFormat.WireType.LengthDelimited))
            {
                found.Add(input.ReadBytes());
            }
            else
            {
                input.SkipLastField();
            }
        }

        return found;
    }
}
