namespace FuncScaler.ContestSimulator.Traces;

/// <summary>A trace whose instances serve several requests at a time. The traces themselves do not tell, and the contest of 2023 knows one.</summary>
/// <param name="trace">The trace.</param>
/// <param name="concurrency">The most requests that an instance of any of its functions serves at a time, 1 to <see cref="FunctionMeta.MostConcurrency"/>.</param>
/// <param name="slowdown">How much longer executions last that share an instance: <see cref="TraceFunction.Slowdown"/>.</param>
public sealed class SharedTrace(ITrace trace, int concurrency, double slowdown = 0) : ITrace
{
    /// <inheritdoc/>
    public string Name => trace.Name;

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions { get; } = [.. trace.Functions.Select(f => f with { Meta = f.Meta with { MaxConcurrency = concurrency }, Slowdown = slowdown })];

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests() => trace.ReadRequests();
}
