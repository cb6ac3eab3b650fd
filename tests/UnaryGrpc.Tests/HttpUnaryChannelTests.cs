using FuncScaler.Tests.Contracts;

namespace FuncScaler.UnaryGrpc.Tests;

public sealed class HttpUnaryChannelTests : UnaryChannelContract
{
    protected override IUnaryChannel CreateChannel(Uri address) =>
        new HttpUnaryChannel(address, new HttpUnaryChannelOptions { MultipleConnections = false });
}
