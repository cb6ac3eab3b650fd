using Grpc.Net.Client;

namespace FuncScaler.Tests.Platform;

/// <summary>A <see cref="FakeScaler"/> behind a real port.</summary>
internal sealed class FakeScalerHost : IAsyncDisposable
{
    private readonly GrpcTestServer _server;
    private GrpcChannel? _platform;

    private FakeScalerHost(FakeScaler scaler, GrpcTestServer server)
    {
        Scaler = scaler;
        _server = server;
    }

    public FakeScaler Scaler { get; }

    public Uri Address => _server.Address;

    public static async Task<FakeScalerHost> StartAsync(Fault fault = Fault.None)
    {
        var scaler = new FakeScaler(TimeProvider.System, fault);
        return new FakeScalerHost(scaler, await GrpcTestServer.StartAsync(scaler));
    }

    public void Connect(Uri platform)
    {
        _platform = GrpcChannel.ForAddress(platform);
        Scaler.Platform = new Contract.Platform.PlatformClient(_platform);
    }

    public async ValueTask DisposeAsync()
    {
        _platform?.Dispose();
        await _server.DisposeAsync();
    }
}
