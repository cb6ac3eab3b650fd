using FuncScaler.UnaryGrpc;

namespace FuncScaler.SlotBackends.Simulator;

public static partial class SimulatorChannel
{
    static partial void OpenWithSdk(string address, ref IUnaryChannel? channel) => channel = new GrpcNetUnaryChannel(address);
}
