using FuncScaler.ContestSimulator.Traces;

namespace FuncScaler.ScalerHost.Commands;

/// <summary>A second of steady requests to four functions with short inits: enough to have every path compiled.</summary>
internal sealed class WarmUpTrace : ITrace
{
    private const int RequestCount = 400;

    public string Name => "warm-up";

    public IReadOnlyList<TraceFunction> Functions { get; } =
    [
        .. Enumerable.Range(0, 4).Select(i => new TraceFunction(new FunctionMeta(new MetaKey($"warm-up-{i}"), "none", 60, 128), 1000)),
    ];

    public IEnumerable<TraceRequest> ReadRequests() =>
        Enumerable.Range(0, RequestCount).Select(i => new TraceRequest(i % Functions.Count, i * 1_000_000L / RequestCount, 5000, 200));
}
