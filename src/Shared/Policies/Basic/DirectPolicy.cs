namespace FuncScaler.Policies.Basic;

/// <summary>
/// Creates an instance for every request and destroys it on release; requests never share. Source: the contest's first version.
/// </summary>
public sealed class DirectPolicy : IKeepAlivePolicy
{
    public bool Waits => false;

    public int CreateOnMiss(in PoolView pool) => 1;

    public bool KeepSurplus(in PoolView pool) => false;

    public KeepDecision Keep(in PoolView pool, in IdleSlot slot) => KeepDecision.LetGoNow;
}
