using FuncScaler.SlotBackends.Simulator;
using FuncScaler.Tests.Contracts;
using FuncScaler.UnaryGrpc;

namespace FuncScaler.Tests.Backends;

public sealed class GrpcNetUnaryChannelTests : UnaryChannelContract
{
    protected override IUnaryChannel CreateChannel(Uri address) => new GrpcNetUnaryChannel(address.ToString(), maxMessageBytes: 4 << 20, multipleConnections: false);
}
