using FuncScaler.Policies;
using FuncScaler.Statistics;

namespace FuncScaler.Tests.Pool;

/// <summary>Decides at random whatever a policy may decide.</summary>
internal sealed class RandomPolicy(Dice dice) : IKeepAlivePolicy
{
    public bool Waits { get; } = dice.Percent(75);

    public bool HasStandby { get; } = dice.Percent(75);

    public int CreateOnMiss(in PoolView pool) => dice.Next(4);

    public bool KeepSurplus(in PoolView pool) => dice.Percent(50);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => dice.Next(6) switch
    {
        0 => KeepDecision.LetGoNow,
        1 => KeepDecision.HoldUntil(pool.NowUs - dice.Next(1_000_000)),
        2 => KeepDecision.HoldForGood,
        _ => KeepDecision.HoldUntil(pool.NowUs + dice.Between(1, 5_000_000)),
    };

    public StandbyPlan Standby(in PoolView pool) => new(
        CreateNow: dice.Percent(25) ? Math.Max(0, dice.Next(4) - pool.Idle - pool.InFlight) : 0,
        ReviewAtUs: dice.Percent(50) ? pool.NowUs + dice.Between(1_000, 2_000_000) : long.MaxValue,
        ReviewIdle: dice.Percent(25));
}

/// <summary>For policies that do not look beyond their function.</summary>
internal sealed class NoHost : IPolicyHost
{
    public static IKeepAlivePolicy Make(PolicyChoice choice, FunctionMeta function) => choice.Begin(new NoHost())(function);

    public void RequestReview(MetaKey function)
    {
    }
}

/// <summary>Another policy, and what it said last about each idle instance.</summary>
internal sealed class RecordingPolicy(IKeepAlivePolicy policy, Dictionary<SlotTicket, long> keepUntilUs) : IKeepAlivePolicy
{
    public bool Waits => policy.Waits;

    public bool HasStandby => policy.HasStandby;

    public void RequestArrived(in PoolView pool) => policy.RequestArrived(pool);

    public void DemandLearned(in PoolView pool, in RankedArrival demand) => policy.DemandLearned(pool, demand);

    public void Answered(in PoolView pool, long waitedUs) => policy.Answered(pool, waitedUs);

    public void Forgotten() => policy.Forgotten();

    public int CreateOnMiss(in PoolView pool) => policy.CreateOnMiss(pool);

    public bool KeepSurplus(in PoolView pool) => policy.KeepSurplus(pool);

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot)
    {
        var decision = policy.Keep(pool, slot);
        keepUntilUs[slot.Ticket] = decision.UntilUs;
        return decision;
    }

    public StandbyPlan Standby(in PoolView pool) => policy.Standby(pool);
}
