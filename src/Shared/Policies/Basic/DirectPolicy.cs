namespace FuncScaler.Policies.Basic;

/// <summary>
/// Creates an instance for every request and destroys it on release; requests wait for no other one's instance. Where instances serve several
/// requests at a time, a request takes a free place, and an instance goes with its last. Source: the contest's first version.
/// </summary>
public sealed class DirectPolicy : IKeepAlivePolicy
{
    public bool Waits => false;

    public int CreateOnMiss(in PoolView pool) => Math.Min(1, pool.Missing);

    public bool KeepSurplus(in PoolView pool) => false;

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.LetGoNow;
}
