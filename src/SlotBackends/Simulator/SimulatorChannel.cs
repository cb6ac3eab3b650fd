using FuncScaler.UnaryGrpc;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>The channel to the platform.</summary>
public static class SimulatorChannel
{
    /// <summary>Opens a channel to "host:port" or an http(s) address; connects at the first call.</summary>
    public static IUnaryChannel Open(string address) => new GrpcNetUnaryChannel(address);
}
