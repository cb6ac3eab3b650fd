using FsCheck;
using FsCheck.Fluent;
using FuncScaler.ContestSimulator.Traces;
using FuncScaler.ContestSimulator.Virtual;
using FuncScaler.Tests.Platform;

namespace FuncScaler.Tests.Virtual;

/// <summary>Small traces out of bytes, so that a failing case is shrunk by itself.</summary>
internal static class RandomTraces
{
    /// <summary>Nothing but creation and init takes time, so that an example can be computed by hand.</summary>
    public static readonly VirtualOptions Bare = new()
    {
        CreateUs = 100_000,
        DestroyUs = 20_000,
        PlatformRpcUs = 0,
        AssignRpcUs = 0,
        IdleRpcUs = 0,
        TailUs = 20_000_000,
    };

    public static readonly TraceFunction[] Functions =
        [ListTrace.Function("quick", 512, 40), ListTrace.Function("slow", 1024, 1500), ListTrace.Function("large", 3072, 300)];

    public static Arbitrary<byte[]> Bytes { get; } = ArbMap.Default.ArbFor<byte[]>();

    /// <summary>Two bytes are a request: how much later and of which function, and how long and whether its instance breaks.</summary>
    public static ListTrace From(byte[] bytes)
    {
        var requests = new List<TraceRequest>();
        var nowMs = 0;
        for (var i = 0; i + 1 < bytes.Length; i += 2)
        {
            // Often at the same time or close together, now and then long after.
            nowMs += bytes[i] % 4 == 0 ? 0 : bytes[i] > 240 ? bytes[i] * 50 : bytes[i] * 3;
            requests.Add(ListTrace.Request(nowMs, bytes[i + 1] * 11, bytes[i] % 3, bytes[i + 1] % 16 == 5 ? 500 : 200));
        }

        return new ListTrace(Functions, requests);
    }
}
