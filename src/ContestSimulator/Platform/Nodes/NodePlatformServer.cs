using System.Net;
using FuncScaler.ContestSimulator.Nodes;
using FuncScaler.Contract.Scheduling;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncScaler.ContestSimulator.Platform.Nodes;

/// <summary>
/// The platform of the 2020 contest in real time: the ResourceManager, a NodeService on a port of its own for each node, the replay, and the APIServer for
/// whoever calls functions besides. Whatever serves the contest's Scheduler can be played against it. One run.
/// </summary>
public sealed class NodePlatformServer : IAsyncDisposable
{
    private static readonly TimeSpan SchedulerPatience = TimeSpan.FromSeconds(60);

    private readonly NodeWorldOptions _world;
    private readonly TimeProvider _time;
    private readonly LiveNodeWorld _live;
    private readonly IPAddress _address;
    private readonly int _resourcePort;
    private readonly ApiServerService _calls = new();
    private readonly int? _apiPort;
    private WebApplication? _app;

    /// <param name="world">The world.</param>
    /// <param name="seed">The seed of its times.</param>
    /// <param name="address">Where to listen.</param>
    /// <param name="resourcePort">The port of the ResourceManager; 0 for any free one. The contest's is 10400.</param>
    /// <param name="time">The clock.</param>
    /// <param name="apiPort">The port of the APIServer; 0 for any free one, null for none. The contest's is 10500.</param>
    public NodePlatformServer(NodeWorldOptions world, long seed, IPAddress address, int resourcePort, TimeProvider time, int? apiPort = null)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(address);
        _world = world;
        _time = time;
        _live = new LiveNodeWorld(world, seed, time);
        _address = address;
        _resourcePort = resourcePort;
        _apiPort = apiPort;
    }

    /// <summary>The port of the ResourceManager, once started.</summary>
    public int ResourcePort { get; private set; }

    /// <summary>The port of the APIServer, once started; null where there is none.</summary>
    public int? ApiPort { get; private set; }

    /// <summary>Nodes that are reserved now.</summary>
    public int NodeCount => _live.NodeCount;

    /// <summary>Opens the ports.</summary>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.MaxStreamsPerConnection = 16_384;
            kestrel.Listen(_address, _resourcePort, listen => listen.Protocols = HttpProtocols.Http2);
            for (var i = 0; i < _world.MostNodes; i++)
            {
                kestrel.Listen(_address, 0, listen => listen.Protocols = HttpProtocols.Http2);
            }

            if (_apiPort is { } apiPort)
            {
                kestrel.Listen(_address, apiPort, listen => listen.Protocols = HttpProtocols.Http2);
            }
        });
        builder.Services.AddSingleton(_live);
        builder.Services.AddSingleton<ResourceManagerService>();
        builder.Services.AddSingleton<NodeServiceService>();
        builder.Services.AddSingleton(_calls);
        builder.Services.AddGrpc();
        _app = builder.Build();
        _app.MapGrpcService<ResourceManagerService>();
        _app.MapGrpcService<NodeServiceService>();
        _app.MapGrpcService<ApiServerService>();
        try
        {
            await _app.StartAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new ContestPlatformException($"The port of the ResourceManager{(_apiPort is null ? "" : " or of the APIServer")} cannot be opened: {e.Message}", e);
        }

        var ports = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(a => new Uri(a).Port).ToList();
        ResourcePort = ports[0];
        ApiPort = _apiPort is null ? null : ports[^1];
        _live.Open(_address, ports.Skip(1).Take(_world.MostNodes));
    }

    /// <summary>Replays a load against a scheduler.</summary>
    /// <param name="trace">What arrives.</param>
    /// <param name="scheduler">Where the scheduler serves.</param>
    /// <param name="name">The scheduler's name in the result.</param>
    /// <param name="progress">Told the number of calls that have ended.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    public async Task<NodeResult> RunAsync(
        NodeTrace trace, Uri scheduler, string name, IProgress<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(trace);
        using var channel = GrpcChannel.ForAddress(scheduler, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, UseProxy = false },
            DisposeHttpClient = true,
        });
        var client = new Scheduler.SchedulerClient(channel);
        using var caller = new NodeCaller(client, _world, _time);
        var outcomes = new (double Seconds, double AcquireSeconds, bool Failed)[trace.Requests.Count];
        var ended = 0;
        await WaitForAsync(client, scheduler, cancellationToken).ConfigureAwait(false);
        _live.Begin();
        _calls.Open(trace, caller);
        var start = _time.GetTimestamp();
        var calls = new List<Task>(trace.Requests.Count);
        try
        {
            for (var i = 0; i < trace.Requests.Count; i++)
            {
                // Timers are as coarse as a millisecond: calls that are due by then go together.
                var aheadUs = trace.Requests[i].StartUs - (long)_time.GetElapsedTime(start).TotalMicroseconds;
                if (aheadUs > 1000)
                {
                    await Task.Delay(TimeSpan.FromMicroseconds(aheadUs), _time, cancellationToken).ConfigureAwait(false);
                }

                var index = i;
                calls.Add(Task.Run(() => CallAsync(index), cancellationToken));
            }

            await Task.WhenAll(calls).ConfigureAwait(false);
            var restUs = trace.LengthUs - (long)_time.GetElapsedTime(start).TotalMicroseconds;
            if (restUs > 0)
            {
                await Task.Delay(TimeSpan.FromMicroseconds(restUs), _time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _calls.Close();
        }

        var (terms, containers, outOfMemory, endUs) = _live.End();
        return new NodeResult
        {
            Scheduler = name,
            Trace = trace.Name,
            Functions =
            [
                .. trace.Functions.Select((f, index) => (f, Own: outcomes.Where((_, i) => trace.Requests[i].Function == index).ToList()))
                    .Select(f => new NodeOutcome(f.f, f.Own.Count, f.Own.Count(o => o.Failed), f.Own.Sum(o => o.Seconds), f.Own.Sum(o => o.AcquireSeconds))),
            ],
            NodeSeconds = terms.Sum(t => (t.ReleasedUs ?? endUs) - t.ReservedUs) / 1e6,
            NodeCounts = NodeResult.Count(terms),
            ContainersCreated = containers,
            OutOfMemory = outOfMemory,
        };

        async Task CallAsync(int index)
        {
            var request = trace.Requests[index];
            var outcome = await caller.CallAsync(trace.Functions[request.Function].Meta, $"r{index}", NodeEvent.Encode(request), cancellationToken).ConfigureAwait(false);
            outcomes[index] = (outcome.Seconds, outcome.AcquireSeconds, outcome.Error.Length > 0);
            progress?.Report(Interlocked.Increment(ref ended));
        }
    }

    /// <summary>gRPC counts deadlines on the system's clock.</summary>
    private static DateTime DeadlineAfter(double seconds) => TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(seconds);

    /// <summary>Waits until the scheduler answers anything at all.</summary>
    private async Task WaitForAsync(Scheduler.SchedulerClient client, Uri scheduler, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        while (true)
        {
            try
            {
                await client.ReturnContainerAsync(
                    new ReturnContainerRequest { RequestId = "hello" }, deadline: DeadlineAfter(5), cancellationToken: cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (RpcException e) when (e.StatusCode is not (StatusCode.Unavailable or StatusCode.DeadlineExceeded))
            {
                // It knows no such request: it is there.
                return;
            }
            catch (RpcException e) when (_time.GetElapsedTime(start) > SchedulerPatience)
            {
                throw new ContestPlatformException($"The scheduler at {scheduler.Authority} does not answer: {e.Status.Detail}", e);
            }
            catch (RpcException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await _app.StopAsync(patience.Token).ConfigureAwait(false);
            await _app.DisposeAsync().ConfigureAwait(false);
        }

        await _live.DisposeAsync().ConfigureAwait(false);
    }
}

/// <summary>What a request needs, as the event of its call.</summary>
internal static class NodeEvent
{
    /// <summary>Writes it.</summary>
    public static ByteString Encode(in NodeRequest request) =>
        ByteString.CopyFromUtf8(FormattableString.Invariant($"{request.CpuSeconds:R};{request.SleepSeconds:R};{request.MemoryMb}"));

    /// <summary>Reads it; null where it is none.</summary>
    public static NodeRequest? Decode(ByteString text)
    {
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        return text.ToStringUtf8().Split(';') is [var cpu, var sleep, var memory]
            && double.TryParse(cpu, culture, out var cpuSeconds)
            && double.TryParse(sleep, culture, out var sleepSeconds)
            && int.TryParse(memory, culture, out var memoryMb)
                ? new NodeRequest(0, 0, cpuSeconds, sleepSeconds, memoryMb)
                : null;
    }
}
