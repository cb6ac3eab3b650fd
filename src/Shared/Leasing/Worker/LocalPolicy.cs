using FuncScaler.Learned;
using FuncScaler.Policies;
using FuncScaler.Statistics;

namespace FuncScaler.Leasing.Worker;

/// <summary>
/// A policy as a worker applies it: in full, except that an instance that it would keep for longer without a use goes back to the ledger,
/// where every worker can have it.
/// </summary>
internal class LocalPolicy(IKeepAlivePolicy policy, TimeSpan parkAfter) : IKeepAlivePolicy, IPolicyMetrics
{
    /// <summary>The policy as a worker applies it, which learns where the policy does.</summary>
    public static LocalPolicy Of(IKeepAlivePolicy policy, TimeSpan parkAfter) =>
        policy is ILearningPolicy learning ? new Learning(learning, parkAfter) : new LocalPolicy(policy, parkAfter);

    public bool Waits => policy.Waits;

    public bool HasStandby => policy.HasStandby;

    /// <summary>Whether the policy itself would have kept the instance it was asked about last.</summary>
    public bool WouldKeep { get; private set; }

    public void RequestArrived(in PoolView pool) => policy.RequestArrived(pool);

    public void DemandLearned(in PoolView pool, in RankedArrival demand) => policy.DemandLearned(pool, demand);

    public void Answered(in PoolView pool, long waitedUs) => policy.Answered(pool, waitedUs);

    public int CreateOnMiss(in PoolView pool) => policy.CreateOnMiss(pool);

    public bool KeepSurplus(in PoolView pool) => policy.KeepSurplus(pool);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var untilUs = policy.Keep(pool, slot).UntilUs;
        WouldKeep = untilUs > pool.NowUs;
        return KeepDecision.HoldUntil(Math.Min(untilUs, slot.SinceUs + parkAfter.ToUs()));
    }

    public void Forgotten() => policy.Forgotten();

    /// <summary>Nothing for a function of which only the key is known.</summary>
    public StandbyPlan Standby(in PoolView pool) =>
        pool.Function.Runtime == LocalPool.UnknownRuntime ? StandbyPlan.None : policy.Standby(pool);

    public double? PredictArrivalsPerSecond(in PoolView pool) => (policy as IPolicyMetrics)?.PredictArrivalsPerSecond(pool);

    public double? PriceGbsPerSecond(in PoolView pool) => (policy as IPolicyMetrics)?.PriceGbsPerSecond(pool);

    private sealed class Learning(ILearningPolicy policy, TimeSpan parkAfter) : LocalPolicy(policy, parkAfter), ILearningPolicy
    {
        public string LearnedName => policy.LearnedName;

        public ILearned? SharedLearned => policy.SharedLearned;

        public ILearned? SloLearned => policy.SloLearned;

        public void WriteLearned(LearnedWriter writer) => policy.WriteLearned(writer);

        public void ReadLearned(LearnedReader reader) => policy.ReadLearned(reader);
    }
}
