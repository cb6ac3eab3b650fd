using FuncScaler.Statistics;

namespace FuncScaler;

/// <summary>What a policy may see of a pool at the moment of a decision.</summary>
public readonly struct PoolView
{
    private readonly SlotPool _pool;

    internal PoolView(SlotPool pool, long nowUs)
    {
        _pool = pool;
        NowUs = nowUs;
    }

    /// <summary>The time of the decision, µs.</summary>
    public long NowUs { get; }

    public FunctionMeta Function => _pool.Function;

    public FunctionStatistics Statistics => _pool.Statistics;

    /// <summary>What the scaler's whole run has cost so far.</summary>
    public ScoreLedger Ledger => _pool.Ledger;

    /// <inheritdoc cref="SlotPoolOptions.LatencyPriceGbs"/>
    public double? LatencyPriceGbs => _pool.LatencyPriceGbs;

    /// <summary>When every so many-th instance that executes a request began, µs, into <paramref name="into"/>; returns how many fitted.</summary>
    public int CopyBusySince(Span<long> into, int stride = 1) => _pool.CopyBusySince(into, stride);

    /// <summary>When every so many-th slot in flight was asked for, µs, into <paramref name="into"/>; returns how many fitted.</summary>
    public int CopyInFlightSince(Span<long> into, int stride = 1) => _pool.CopyInFlightSince(into, stride);

    /// <summary>Instances executing a request.</summary>
    public int Busy => _pool.BusyCount;

    /// <summary>Instances that are ready and unused.</summary>
    public int Idle => _pool.IdleCount;

    /// <summary>Slots being created or initialised.</summary>
    public int InFlight => _pool.InFlightCount;

    /// <summary>Requests without an instance.</summary>
    public int Waiters => _pool.WaiterCount;
}
