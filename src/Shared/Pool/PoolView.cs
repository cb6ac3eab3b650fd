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

    /// <inheritdoc cref="FunctionLimits.Slo"/>
    public TimeSpan? Slo => _pool.Slo;

    /// <summary>
    /// How long later requests wait because one more creation uses the backend's budget up, s; 0 where creations are not rationed. Multiplied by
    /// the price of a second of waiting it is a cost, GB·s.
    /// </summary>
    public double CreatePriceSeconds => _pool.CreatePriceSeconds;

    /// <summary>Copies when executions began, µs.</summary>
    /// <param name="into">Where to; what does not fit is left out.</param>
    /// <param name="stride">1 for every request that executes, n for every n-th one.</param>
    /// <returns>How many were copied.</returns>
    public int CopyBusySince(Span<long> into, int stride = 1) => _pool.CopyBusySince(into, stride);

    /// <summary>Copies when the slots in flight were asked for, µs.</summary>
    /// <param name="into">Where to; what does not fit is left out.</param>
    /// <param name="stride">1 for every slot in flight, n for every n-th one.</param>
    /// <returns>How many were copied.</returns>
    public int CopyInFlightSince(Span<long> into, int stride = 1) => _pool.CopyInFlightSince(into, stride);

    /// <summary>The number of instances that execute requests.</summary>
    public int Busy => _pool.BusyCount;

    /// <summary>The number of requests that execute: that of <see cref="Busy"/>, unless instances serve several at a time.</summary>
    public int Executing => _pool.ExecutingCount;

    /// <summary>How many requests one instance serves at a time, from 1: what is used of <see cref="FunctionMeta.MaxConcurrency"/>.</summary>
    public int Places => _pool.Places;

    /// <summary>Whether a busy instance has a free place: then the next request takes that, and no idle instance.</summary>
    public bool HasFreePlace => Executing < (long)Busy * Places;

    /// <summary>The number of instances that are ready and unused.</summary>
    public int Idle => _pool.IdleCount;

    /// <summary>The number of slots that are being created or initialised.</summary>
    public int InFlight => _pool.InFlightCount;

    /// <summary>The number of requests that wait for an instance.</summary>
    public int Waiters => _pool.WaiterCount;

    /// <summary>How many instances the waiting requests need beyond those in flight, from 0: each in flight serves <see cref="Places"/> of them.</summary>
    public int Missing => Math.Max(0, ((Waiters + Places - 1) / Places) - InFlight);
}

/// <summary>What a <see cref="PoolView"/> reads: a pool in this process, or a pool ledger that adds up the pools of many workers.</summary>
internal interface IPoolState
{
    FunctionMeta Function { get; }

    FunctionStatistics Statistics { get; }

    ScoreLedger Ledger { get; }

    double? LatencyPriceGbs { get; }

    TimeSpan? Slo => null;

    double CreatePriceSeconds { get; }

    int BusyCount { get; }

    int ExecutingCount { get; }

    int Places { get; }

    int IdleCount { get; }

    int InFlightCount { get; }

    int WaiterCount { get; }

    int CopyBusySince(Span<long> into, int stride);

    int CopyInFlightSince(Span<long> into, int stride);
}
