using FuncScaler.Policies;
using FuncScaler.Statistics;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// A policy as a worker applies it: the wait rule in full, keeping only until the instance goes back to the ledger, and nothing ahead of
/// requests; keeping for longer and creating ahead are the ledger's, which sees all workers.
/// </summary>
internal sealed class LocalPolicy(IKeepAlivePolicy policy, TimeSpan parkAfter) : IKeepAlivePolicy, IPolicyMetrics
{
    public bool Waits => policy.Waits;

    public bool HasStandby => policy.HasStandby;

    public void RequestArrived(in PoolView pool) => policy.RequestArrived(pool);

    public void DemandLearned(in PoolView pool, in RankedArrival demand) => policy.DemandLearned(pool, demand);

    public int CreateOnMiss(in PoolView pool) => policy.CreateOnMiss(pool);

    public bool KeepSurplus(in PoolView pool) => policy.KeepSurplus(pool);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) =>
        KeepDecision.HoldUntil(Math.Min(policy.Keep(pool, slot).UntilUs, slot.SinceUs + parkAfter.ToUs()));

    public StandbyPlan Standby(in PoolView pool)
    {
        if (pool.Waiters == 0)
        {
            return StandbyPlan.None;
        }

        var plan = policy.Standby(pool);
        return new StandbyPlan(Math.Clamp(plan.CreateNow, 0, Math.Max(0, pool.Waiters - pool.InFlight)), plan.ReviewAtUs);
    }

    public void Forgotten() => policy.Forgotten();

    public double? PredictArrivalsPerSecond(in PoolView pool) => (policy as IPolicyMetrics)?.PredictArrivalsPerSecond(pool);

    public double? PriceGbsPerSecond(in PoolView pool) => (policy as IPolicyMetrics)?.PriceGbsPerSecond(pool);
}
