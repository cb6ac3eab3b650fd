using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace FuncScaler.FunctionsHost.Storage;

/// <summary>
/// Stands between a host and the storage emulator and counts requests by service and operation: what a storage account bills as
/// transactions, a batch as one.
/// </summary>
internal sealed class StorageMeter : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, long> _counts = new();
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });
    private readonly WebApplication _server;

    private StorageMeter(WebApplication server) => _server = server;

    /// <summary>Where its own <c>Blob</c>, <c>Queue</c> and <c>Table</c> listen.</summary>
    public IReadOnlyDictionary<string, Uri> Services { get; private set; } = new Dictionary<string, Uri>();

    public string ConnectionString => Azurite.ConnectionTo(Services);

    /// <summary>Requests so far, by kind, for example <c>Queue GetMessages</c>.</summary>
    public IReadOnlyDictionary<string, long> Counts => new SortedDictionary<string, long>(_counts, StringComparer.Ordinal);

    /// <summary>Counts anew from now on.</summary>
    public void Reset() => _counts.Clear();

    public long Total => _counts.Values.Sum();

    public static async Task<StorageMeter> StartAsync(IReadOnlyDictionary<string, Uri> storage, CancellationToken cancellationToken)
    {
        var services = storage.ToList();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => services.ForEach(_ => kestrel.Listen(IPAddress.Loopback, 0)));
        builder.Services.AddHttpForwarder();
        var server = builder.Build();
        var meter = new StorageMeter(server);
        var targets = new Dictionary<int, (string Service, string Url)>();
        var forwarder = server.Services.GetRequiredService<IHttpForwarder>();
        server.Run(async http =>
        {
            var (service, url) = targets[http.Connection.LocalPort];
            meter._counts.AddOrUpdate($"{service} {OperationOf(service, http.Request)}", 1, (_, n) => n + 1);
            await forwarder.SendAsync(http, url, meter._client, ForwarderRequestConfig.Empty, Verbatim.Instance);
        });
        await server.StartAsync(cancellationToken);
        meter.Services = services.Zip(server.Urls.Select(u => new Uri(u)), (s, url) => KeyValuePair.Create(s.Key, url)).ToDictionary();
        foreach (var (service, url) in meter.Services)
        {
            targets.Add(url.Port, (service, storage[service].AbsoluteUri));
        }

        return meter;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _server.StopAsync(now.Token);
        await _server.DisposeAsync();
        _client.Dispose();
    }

    /// <summary>The operation's name in the service's REST reference, as far as the Durable storage provider uses it.</summary>
    internal static string OperationOf(string service, HttpRequest request)
    {
        // The first part is the account.
        var parts = (request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries)[1..];
        var comp = request.Query["comp"].ToString();
        var method = request.Headers.TryGetValue("X-HTTP-Method", out var real) ? real.ToString() : request.Method;
        return (service, parts, comp, method) switch
        {
            ("Queue", [_, "messages"], _, "GET") => request.Query["peekonly"] == "true" ? "PeekMessages" : "GetMessages",
            ("Queue", [_, "messages"], _, "POST") => "PutMessage",
            ("Queue", [_, "messages"], _, "DELETE") => "ClearMessages",
            ("Queue", [_, "messages", _], _, "PUT") => "UpdateMessage",
            ("Queue", [_, "messages", _], _, "DELETE") => "DeleteMessage",
            ("Queue", [_], "metadata", "PUT") => "SetQueueMetadata",
            ("Queue", [_], "metadata", _) => "GetQueueMetadata",
            ("Queue", [_], _, "PUT") => "CreateQueue",
            ("Queue", [_], _, "DELETE") => "DeleteQueue",
            ("Queue", [], "list", _) => "ListQueues",
            ("Table", ["$batch"], _, _) => "Batch",
            ("Table", ["Tables"], _, "GET") => "QueryTables",
            ("Table", ["Tables"], _, "POST") => "CreateTable",
            ("Table", [var name], _, "GET") => name.Contains("(PartitionKey", StringComparison.Ordinal) ? "GetEntity" : "QueryEntities",
            ("Table", [_], _, "POST") => "InsertEntity",
            ("Table", [_], _, "PUT" or "MERGE" or "PATCH") => "UpdateEntity",
            ("Table", [_], _, "DELETE") => "DeleteEntity",
            ("Blob", [_], "list", _) => "ListBlobs",
            ("Blob", [], "list", _) => "ListContainers",
            ("Blob", [_], _, "PUT") => "CreateContainer",
            ("Blob", [_], _, _) => $"Container {method}",
            ("Blob", [_, ..], "lease", _) => $"LeaseBlob {request.Headers["x-ms-lease-action"]}",
            ("Blob", [_, ..], "", "GET") => "GetBlob",
            ("Blob", [_, ..], "", "PUT") => "PutBlob",
            ("Blob", [_, ..], "", "HEAD") => "GetBlobProperties",
            ("Blob", [_, ..], "", "DELETE") => "DeleteBlob",
            _ => $"{method} {comp}".TrimEnd(),
        };
    }

    /// <summary>Leaves the target as it was sent: the signature covers each of its characters.</summary>
    private sealed class Verbatim : HttpTransformer
    {
        public static readonly Verbatim Instance = new();

        public override async ValueTask TransformRequestAsync(
            HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
            var target = httpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
            proxyRequest.RequestUri = new Uri(
                destinationPrefix.TrimEnd('/') + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        }
    }
}
