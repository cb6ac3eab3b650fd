using FuncScaler.Contract;
using FuncScaler.ScalerFunctions.Hosting;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

public sealed class GrpcPortServiceTests
{
    private const string Key = "a-key-of-more-than-32-characters-";

    private static readonly AssignRequest Request = new()
    {
        RequestId = "r1",
        MetaData = new Meta { Key = "f", Runtime = "go", TimeoutInSecs = 60, MemoryInMb = 128 },
    };

    [Fact]
    public async Task Serves_the_contract_on_the_port_that_was_set()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0 });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var reply = await new Scaler.ScalerClient(channel).AssignAsync(Request);

        Assert.Equal("r1", reply.Assigment.RequestId);
    }

    [Fact]
    public async Task With_a_key_a_caller_without_it_is_turned_away()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0, Key = Key });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var scaler = new Scaler.ScalerClient(channel);

        var without = await Assert.ThrowsAsync<RpcException>(() => scaler.AssignAsync(Request).ResponseAsync);
        var wrong = await Assert.ThrowsAsync<RpcException>(() => scaler.AssignAsync(Request, new Metadata { { "x-functions-key", "guess" } }).ResponseAsync);

        Assert.Equal((StatusCode.Unauthenticated, StatusCode.Unauthenticated), (without.StatusCode, wrong.StatusCode));
        Assert.Contains("x-functions-key", without.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, host.Scaler.Runtime.GetStats().Requests.Assigns);
        Assert.Equal("r1", (await scaler.AssignAsync(Request, new Metadata { { "x-functions-key", Key } })).Assigment.RequestId);
    }

    [Fact]
    public async Task Its_health_can_be_asked_for()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions { Port = 0 });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{host.Service.Port}");

        var health = await new Health.HealthClient(channel).CheckAsync(new HealthCheckRequest { Service = "serverless.simulator.Scaler" });

        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, health.Status);
    }

    [Fact]
    public async Task Without_a_port_there_is_no_server()
    {
        await using var host = await Host.StartAsync(new GrpcPortOptions());

        Assert.Null(host.Service.Port);
    }

    [Fact]
    public async Task A_taken_port_is_named_with_the_setting()
    {
        await using var first = await Host.StartAsync(new GrpcPortOptions { Port = 0 });

        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => Host.StartAsync(new GrpcPortOptions { Port = first.Service.Port }));

        Assert.Contains("Scaler:Grpc:Port", e.Message, StringComparison.Ordinal);
    }

    private sealed class Host : IAsyncDisposable
    {
        private Host(GrpcPortOptions options)
        {
            Scaler = new TestScaler();
            Service = new GrpcPortService(
                Scaler.Service, Options.Create(new ScalerAppOptions { Grpc = options }), NullLoggerFactory.Instance);
        }

        public TestScaler Scaler { get; }

        public GrpcPortService Service { get; }

        public static async Task<Host> StartAsync(GrpcPortOptions options)
        {
            var host = new Host(options);
            await host.Service.StartAsync(CancellationToken.None);
            return host;
        }

        public async ValueTask DisposeAsync()
        {
            await Service.StopAsync(CancellationToken.None);
            await Service.DisposeAsync();
            await Scaler.DisposeAsync();
        }
    }
}
