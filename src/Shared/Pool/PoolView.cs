using FuncScaler.Scoring;
using FuncScaler.Statistics;

namespace FuncScaler.Pool;

/// <summary>What a policy may see of a pool at the moment of a decision.</summary>
public readonly struct PoolView
{
    private readonly IPoolState _pool;

    internal PoolView(IPoolState pool, long nowUs)
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

    /// <summary>
    /// What creating one more slot costs now beyond its memory, s of later requests' waiting; 0 where creating is not rationed. Times the
    /// price of a second of waiting it is GBs.
    /// </summary>
    public double CreatePriceSeconds => _pool.CreatePriceSeconds;

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

/// <summary>What stands behind a <see cref="PoolView"/>: a pool in a process, or the ledger of the pools of many.</summary>
internal interface IPoolState
{
    FunctionMeta Function { get; }

    FunctionStatistics Statistics { get; }

    ScoreLedger Ledger { get; }

    double? LatencyPriceGbs { get; }

    double CreatePriceSeconds { get; }

    int BusyCount { get; }

    int IdleCount { get; }

    int InFlightCount { get; }

    int WaiterCount { get; }

    int CopyBusySince(Span<long> into, int stride);

    int CopyInFlightSince(Span<long> into, int stride);
}
