using FuncScaler.UnaryGrpc;

namespace FuncScaler.SlotBackends.Simulator;

/// <summary>The channel to the platform: on Grpc.Net.Client where that package was there when this was compiled, else on the bare protocol.</summary>
public static partial class SimulatorChannel
{
    /// <summary>Opens a channel to "host:port" or an http(s) address; connects at the first call.</summary>
    public static IUnaryChannel Open(string address)
    {
        IUnaryChannel? channel = null;
        OpenWithSdk(address, ref channel);
        return channel ?? new HttpUnaryChannel(address);
    }

    static partial void OpenWithSdk(string address, ref IUnaryChannel? channel);
}
