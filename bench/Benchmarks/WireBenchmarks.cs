using BenchmarkDotNet.Attributes;
using FuncScaler.Contract;
using FuncScaler.Policies;
using FuncScaler.ScalerHost;
using FuncScaler.SlotBackends.Fake;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Benchmarks;

/// <summary>A warm request over HTTP/2 on loopback, client and server in one process: what a caller waits for.</summary>
public class WireBenchmarks
{
    private readonly AssignRequest _assign = new()
    {
        RequestId = "r",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 512 },
    };

    private ScalerServer _server = null!;
    private GrpcChannel _channel = null!;
    private Scaler.ScalerClient _scaler = null!;

    [GlobalSetup]
    public async Task SetUp()
    {
        _server = new ScalerServer(
            new FakeBackend(TimeProvider.System),
            new ScalerServerOptions { GrpcPort = 0, HttpPort = null, Policy = PolicyCatalog.Parse("ttl:300"), LogLevel = LogLevel.Error },
            TimeProvider.System);
        await _server.StartAsync(CancellationToken.None);
        _server.SetServing(true);
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{_server.GrpcPort}");
        _scaler = new Scaler.ScalerClient(_channel);
        await AssignAndIdle();
    }

    [GlobalCleanup]
    public async Task CleanUp()
    {
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Benchmark(Description = "Assign and Idle, warm, over loopback")]
    public async Task AssignAndIdle()
    {
        var granted = await _scaler.AssignAsync(_assign);
        var idle = new IdleRequest { Assigment = granted.Assigment, Result = new Result { StatusCode = 200, DurationInMs = 1 } };
        await _scaler.IdleAsync(idle);
    }
}
