namespace FuncScaler.ContestSimulator.Traces;

/// <summary>A trace whose instances serve several requests at a time. The traces themselves do not tell, and the contest of 2023 knows one.</summary>
/// <param name="trace">The trace.</param>
/// <param name="concurrency">The most requests that an instance of each function serves at a time, 1 to <see cref="FunctionMeta.MostConcurrency"/>.</param>
/// <param name="slowdown">How much longer executions last that share an instance: <see cref="TraceFunction.Slowdown"/>.</param>
public sealed class SharedTrace(ITrace trace, Func<MetaKey, int> concurrency, double slowdown = 0) : ITrace
{
    /// <param name="trace">The trace.</param>
    /// <param name="concurrency">The same for all functions.</param>
    /// <param name="slowdown">How much longer executions last that share an instance.</param>
    public SharedTrace(ITrace trace, int concurrency, double slowdown = 0)
        : this(trace, _ => concurrency, slowdown)
    {
    }

    /// <inheritdoc/>
    public string Name => trace.Name;

    /// <inheritdoc/>
    public IReadOnlyList<TraceFunction> Functions { get; } = [.. trace.Functions.Select(f => f with { Meta = f.Meta with { MaxConcurrency = concurrency(f.Meta.Key) }, Slowdown = slowdown })];

    /// <inheritdoc/>
    public IEnumerable<TraceRequest> ReadRequests() => trace.ReadRequests();
}
