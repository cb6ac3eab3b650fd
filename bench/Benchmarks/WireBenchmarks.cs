using BenchmarkDotNet.Attributes;
using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.UnaryGrpc;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Benchmarks;

/// <summary>A warm request over HTTP/2 on loopback, client and server in one process: what a caller waits for.</summary>
public class WireBenchmarks
{
    private static readonly UnaryMethod<AssignRequest, AssignReply> Assign = new(ScalerContract.Assign);
    private static readonly UnaryMethod<IdleRequest, IdleReply> Idle = new(ScalerContract.Idle);

    private readonly AssignRequest _assign = new()
    {
        RequestId = "r",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 512 },
    };

    private ScalerServer _server = null!;
    private HttpUnaryChannel _channel = null!;

    [GlobalSetup]
    public async Task SetUp()
    {
        _server = new ScalerServer(
            new FakeBackend(TimeProvider.System),
            new ScalerServerOptions { GrpcPort = 0, HttpPort = null, Policy = PolicyCatalog.Parse("ttl:300"), LogLevel = LogLevel.Error },
            TimeProvider.System);
        await _server.StartAsync(CancellationToken.None);
        _server.SetServing(true);
        _channel = new HttpUnaryChannel($"http://127.0.0.1:{_server.GrpcPort}");
        await AssignAndIdle();
    }

    [GlobalCleanup]
    public async Task CleanUp()
    {
        await _channel.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Benchmark(Description = "Assign and Idle, warm, over loopback")]
    public async Task AssignAndIdle()
    {
        var granted = await _channel.CallAsync(Assign, _assign, null, CancellationToken.None);
        var idle = new IdleRequest { Assigment = granted.Assigment, Result = new Result { StatusCode = 200, DurationInMs = 1 } };
        await _channel.CallAsync(Idle, idle, null, CancellationToken.None);
    }
}
